//! Flags, environment and file, laid over each other.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt;
use std::path::Path;

use clap::{Arg, ArgMatches};

use super::nearest::nearest;
use super::table::{Refusal, SETTINGS, Setting};
use super::{CatalogEngine, OriginalsPlace, Settings, SettingsError};

/// The file that is read if no other is named.
const FILE: &str = "darkroom.toml";

/// How names begin that are no settings: `darkroom dev` tells them to the commands that it runs.
pub(crate) const TOLD_BY_DEV: &str = "DARKROOM_DEV_";

/// Where a value came from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Source {
    /// A flag, by its name without dashes.
    Flag(String),
    /// A variable of the environment, by its name.
    Environment(String),
    /// A settings file, by its path.
    File(String),
    /// What a command has in place of a default, by the command's name.
    Command(&'static str),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Flag(name) => write!(f, "the flag --{name}"),
            Source::Environment(name) => write!(f, "the environment variable {name}"),
            Source::File(path) => write!(f, "the file '{path}'"),
            Source::Command(name) => write!(f, "the defaults of `darkroom {name}`"),
        }
    }
}

/// Returns the flags of every setting that may be one, and `--config`.
pub fn flags() -> Vec<Arg> {
    let config = Arg::new("config")
        .long("config")
        .value_name("PATH")
        .global(true)
        .help(format!("The settings file. [default: ./{FILE}, if there is one]"));
    let of_settings = SETTINGS.iter().filter(|setting| !setting.secret).map(|setting| {
        let shown = setting.example.replace(['"', '[', ']'], "");
        let default = match (setting.has_default, setting.key) {
            (false, _) => String::new(),
            // The brackets of an IPv6 address are part of it.
            (true, "listen") => " [default: 127.0.0.1:3535,[::1]:3535]".to_owned(),
            (true, _) => match setting.extended {
                Some(extended) => format!(" [default: {shown}, extended: {extended}]"),
                None => format!(" [default: {shown}]"),
            },
        };
        Arg::new(setting.key).long(setting.flag()).value_name("VALUE").global(true).help(format!(
            "{}{default} [env: {}]",
            setting.help,
            setting.environment()
        ))
    });
    std::iter::once(config).chain(of_settings).collect()
}

/// Reads the settings that hold: flags beat environment, environment beats file, file beats defaults.
pub fn load(
    flags: &ArgMatches,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Settings, SettingsError> {
    resolve(&gather(flags, environment)?)
}

/// As [`load`], for a command that has defaults of its own: pairs of a setting's key and a value.
pub fn load_over(
    command: &'static str,
    defaults: &[(&'static str, &str)],
    flags: &ArgMatches,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Settings, SettingsError> {
    let own = defaults.iter().map(|&(key, value)| (key, (Source::Command(command), value.to_owned())));
    let mut values: Values = own.collect();
    values.extend(gather(flags, environment)?);
    resolve(&values)
}

/// Reads what was given, and where; refuses what [`resolve`] would refuse only when that is asked.
pub(super) fn gather(
    flags: &ArgMatches,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Values, SettingsError> {
    let mut values = Values::new();
    match flags.get_one::<String>("config") {
        Some(path) => values.extend(read_toml(path, &read_file("the settings file", path)?)?),
        None if Path::new(FILE).exists() => {
            values.extend(read_toml(FILE, &read_file("the settings file", FILE)?)?);
        }
        None => {}
    }
    values.extend(read_environment(environment)?);
    values.extend(SETTINGS.iter().filter(|setting| !setting.secret).filter_map(|setting| {
        let value = flags.get_one::<String>(setting.key)?;
        Some((setting.key, (Source::Flag(setting.flag()), value.clone())))
    }));
    Ok(values)
}

/// Reads the settings of one text in the form of `darkroom.toml`.
#[cfg(test)]
pub(super) fn from_toml(path: &str, text: &str) -> Result<Settings, SettingsError> {
    resolve(&read_toml(path, text)?)
}

/// The text of each setting that was given, and where it was given; later sources replace earlier ones.
pub(super) type Values = HashMap<&'static str, (Source, String)>;

/// Makes settings of what was given.
pub(super) fn resolve(values: &Values) -> Result<Settings, SettingsError> {
    let mut settings = Settings::default();
    for setting in SETTINGS {
        let Some((origin, text)) = values.get(setting.key) else { continue };
        let shown = || if setting.secret { "something else".to_owned() } else { format!("'{text}'") };
        let Setting { key, expected, .. } = *setting;
        setting.apply(&mut settings, text).map_err(|refusal| match refusal {
            Refusal::Malformed => {
                SettingsError::Invalid { key, origin: origin.clone(), expected, shown: shown() }
            }
            Refusal::NotBuilt => {
                SettingsError::NotBuilt { key, origin: origin.clone(), expected, shown: shown() }
            }
        })?;
    }
    check_together(&settings)?;
    Ok(settings)
}

/// Refuses settings that are legal alone and make no sense together.
fn check_together(settings: &Settings) -> Result<(), SettingsError> {
    let conflict = |text: &str| Err(SettingsError::Conflict(text.into()));
    if settings.catalog == CatalogEngine::Memory && settings.originals == OriginalsPlace::File {
        return conflict(
            "a catalog in memory needs originals in memory too: after a restart it would know none of the files \
             and remove them; set 'originals' to 'memory'",
        );
    }
    if settings.catalog == CatalogEngine::Lmdb && settings.originals == OriginalsPlace::Memory {
        return conflict(
            "originals in memory need a catalog in memory too: after a restart the catalog would list images \
             without files; set 'catalog' to 'memory'",
        );
    }
    if settings.limits.upload_memory_bytes_max < crate::http::form::body_bytes_max(&settings.limits) {
        return conflict(
            "'upload_memory_bytes_max' must exceed 'file_bytes_max' by 1 MiB or more, or no large file could be uploaded",
        );
    }
    if settings.limits.draft_life_min > settings.limits.draft_life_max {
        return conflict(
            "'draft_life_min_seconds' must not exceed 'draft_life_max_seconds', or no upload URL could be made",
        );
    }
    Ok(())
}

fn read_environment(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Values, SettingsError> {
    let mut values = Values::new();
    for (name, value) in environment {
        let Some(name) = name.to_str().filter(|name| name.starts_with("DARKROOM_")) else { continue };
        if name.starts_with(TOLD_BY_DEV) {
            continue;
        }
        let setting_named = |name: &str| SETTINGS.iter().find(|setting| setting.environment() == name);
        let file_of = name.strip_suffix("_FILE").and_then(setting_named);
        let Some(setting) = setting_named(name).or(file_of) else {
            return Err(unknown(name, "the environment", Setting::environment));
        };
        let text = value.to_str().ok_or_else(|| SettingsError::Invalid {
            key: setting.key,
            origin: Source::Environment(name.to_owned()),
            expected: setting.expected,
            shown: "bytes that are not UTF-8".into(),
        })?;
        let text = match file_of {
            // What editors and `echo` put at the end of a file is not part of the value.
            Some(_) => read_file("the file of a setting", text)?.trim_end_matches(['\r', '\n']).to_owned(),
            None => text.to_owned(),
        };
        if values.insert(setting.key, (Source::Environment(name.to_owned()), text)).is_some() {
            let name = setting.environment();
            return Err(SettingsError::Conflict(format!("both {name} and {name}_FILE are set")));
        }
    }
    Ok(values)
}

fn read_toml(path: &str, text: &str) -> Result<Values, SettingsError> {
    let malformed =
        |reason: String| SettingsError::File { what: "the settings file", path: path.into(), reason };
    let table: toml::Table =
        text.parse().map_err(|error: toml::de::Error| malformed(error.message().to_owned()))?;
    let mut values = Values::new();
    for (key, value) in table {
        let setting = Setting::by_key(&key)
            .ok_or_else(|| unknown(&key, &format!("the file '{path}'"), |setting| setting.key.to_owned()))?;
        let text = toml_text(&value).ok_or_else(|| SettingsError::Invalid {
            key: setting.key,
            origin: Source::File(path.into()),
            expected: setting.expected,
            shown: format!("a value of type {}", value.type_str()),
        })?;
        values.insert(setting.key, (Source::File(path.into()), text));
    }
    Ok(values)
}

/// Writes a value as a flag would give it: lists with commas.
fn toml_text(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Boolean(truth) => Some(truth.to_string()),
        toml::Value::Array(values) => {
            let texts: Option<Vec<&str>> = values.iter().map(toml::Value::as_str).collect();
            texts.map(|texts| texts.join(","))
        }
        toml::Value::Float(_) | toml::Value::Datetime(_) | toml::Value::Table(_) => None,
    }
}

fn unknown(name: &str, place: &str, spelling: fn(&Setting) -> String) -> SettingsError {
    let nearest = nearest(name, SETTINGS.iter().map(spelling));
    SettingsError::Unknown { name: name.into(), place: place.into(), nearest }
}

fn read_file(what: &'static str, path: &str) -> Result<String, SettingsError> {
    std::fs::read_to_string(path).map_err(|error| SettingsError::File {
        what,
        path: path.into(),
        reason: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use darkroom_model::{Compatibility, Limits};

    fn load_from(arguments: &[&str], environment: &[(&str, &str)]) -> Result<Settings, String> {
        let command = clap::Command::new("darkroom").args(flags());
        let flags = command.try_get_matches_from([&["darkroom"], arguments].concat()).unwrap();
        let environment = environment.iter().map(|(name, value)| (name.into(), value.into()));
        load(&flags, environment).map_err(|error| error.to_string())
    }

    #[test]
    fn flags_beat_environment_and_environment_beats_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.toml");
        std::fs::write(&path, "data = \"from-file\"\naccount_id = \"file\"\nconnections_max = 7\n").unwrap();
        let arguments = ["--config", path.to_str().unwrap(), "--data", "from-flag"];
        let environment = [("DARKROOM_DATA", "from-environment"), ("DARKROOM_ACCOUNT_ID", "environment")];
        let settings = load_from(&arguments, &environment).unwrap();
        assert_eq!(settings.data.to_str(), Some("from-flag"));
        assert_eq!(settings.account_id.unwrap().as_str(), "environment");
        assert_eq!(settings.limits.connections_max, 7);
    }

    #[test]
    fn the_defaults_of_a_command_are_beaten_by_everything_else() {
        let command = clap::Command::new("darkroom").args(flags());
        let flags = command.try_get_matches_from(["darkroom"]).unwrap();
        let defaults = [("log", "warn"), ("account_id", "of-the-command")];
        let told = ("DARKROOM_DEV_URL".into(), "is no setting".into());
        let environment = [("DARKROOM_ACCOUNT_ID".into(), "environment".into()), told];
        let settings = load_over("dev", &defaults, &flags, environment).unwrap();
        assert_eq!(settings.account_id.unwrap().as_str(), "environment");
        assert_eq!(settings.log, "warn");
    }

    #[test]
    fn a_variable_that_ends_in_file_names_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "0123456789abcdef\n").unwrap();
        let name = ("DARKROOM_API_TOKEN_FILE", path.to_str().unwrap());
        let settings = load_from(&[], &[name]).unwrap();
        assert_eq!(settings.api_token.unwrap().expose(), "0123456789abcdef");
        let both = load_from(&[], &[name, ("DARKROOM_API_TOKEN", "0123456789abcdef")]);
        assert_eq!(both.unwrap_err(), "both DARKROOM_API_TOKEN and DARKROOM_API_TOKEN_FILE are set");
    }

    #[test]
    fn unknown_names_are_errors_that_name_the_nearest() {
        assert_eq!(
            load_from(&[], &[("DARKROOM_LISTN", "x")]).unwrap_err(),
            "unknown setting 'DARKROOM_LISTN' in the environment, did you mean 'DARKROOM_LISTEN'?"
        );
        assert_eq!(
            from_toml("a.toml", "lisen = 1").unwrap_err().to_string(),
            "unknown setting 'lisen' in the file 'a.toml', did you mean 'listen'?"
        );
    }

    #[test]
    fn a_bad_value_says_which_setting_where_and_what_was_expected() {
        assert_eq!(
            load_from(&["--catalog", "sqlite"], &[]).unwrap_err(),
            "setting 'catalog' from the flag --catalog: expected lmdb or memory, got 'sqlite'"
        );
        assert_eq!(
            load_from(&[], &[("DARKROOM_ORIGINALS", "s3://bucket")]).unwrap_err(),
            "setting 'originals' from the environment variable DARKROOM_ORIGINALS: 's3://bucket' is not built yet, expected file or memory"
        );
        assert_eq!(
            from_toml("a.toml", "data = 1.5").unwrap_err().to_string(),
            "setting 'data' from the file 'a.toml': expected the path of a folder, got a value of type float"
        );
    }

    #[test]
    fn a_bad_secret_is_not_repeated() {
        let error = load_from(&[], &[("DARKROOM_API_TOKEN", "hunter2")]).unwrap_err();
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn every_setting_that_holds_is_explained_and_no_secret_is() {
        let command = clap::Command::new("darkroom").args(flags());
        let flags = command.try_get_matches_from(["darkroom", "--data", "a \"b\""]).unwrap();
        let token = ("DARKROOM_API_TOKEN".into(), "0123456789abcdef".into());
        let rate = ("DARKROOM_HEAD_WAIT_SECONDS".into(), "5".into());
        let text = super::super::explain(&flags, [token, rate]).unwrap();
        for line in [
            "data = 'a \"b\"'  # the flag --data",
            "head_wait_seconds = 5  # the environment variable DARKROOM_HEAD_WAIT_SECONDS",
            "connections_max = 4096  # the default",
            "# api_token is set, and not shown  # the environment variable DARKROOM_API_TOKEN",
            "# public_url is not set",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
        assert_eq!(text.lines().count(), SETTINGS.len());
        // What is printed can be used as the file that it looks like.
        let settings = from_toml("printed.toml", &text).unwrap();
        assert_eq!((settings.data.to_str(), settings.limits.head_wait.as_secs()), (Some("a \"b\""), 5));
    }

    #[test]
    fn a_limit_that_is_set_beats_the_mode_wherever_the_mode_is_set() {
        let strict = load_from(&[], &[]).unwrap();
        assert_eq!((strict.compatibility, strict.limits), (Compatibility::Strict, Limits::default()));
        let settings = load_from(&["--compatibility", "extended"], &[("DARKROOM_FILTERS_MAX", "7")]).unwrap();
        assert_eq!(settings.compatibility, Compatibility::Extended);
        assert_eq!(settings.limits, Limits { filters_max: 7, ..Compatibility::Extended.limits() });
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.toml");
        std::fs::write(&path, "private_custom_ids = false\ncompatibility = \"extended\"\n").unwrap();
        let settings = load_from(&["--config", path.to_str().unwrap()], &[]).unwrap();
        assert_eq!((settings.limits.private_custom_ids, settings.limits.uuid_custom_ids), (false, true));
    }

    #[test]
    fn what_holds_by_the_mode_is_explained_by_it() {
        let explained = |mode: &str| {
            let command = clap::Command::new("darkroom").args(flags());
            let flags = command.try_get_matches_from(["darkroom", "--compatibility", mode]).unwrap();
            super::super::explain(&flags, [("DARKROOM_PARTS_MAX".into(), "9".into())]).unwrap()
        };
        for (mode, filters) in [("strict", 5), ("extended", 20)] {
            let text = explained(mode);
            for line in [
                format!("filters_max = {filters}  # the default of {mode} compatibility"),
                "parts_max = 9  # the environment variable DARKROOM_PARTS_MAX".to_owned(),
                "page_max = 1000  # the default".to_owned(),
            ] {
                assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
            }
            let limits = Limits { parts_max: 9, ..Compatibility::parse(mode).unwrap().limits() };
            assert_eq!(from_toml("printed.toml", &text).unwrap().limits, limits);
        }
    }

    #[test]
    fn the_lives_of_drafts_leave_room() {
        let lives = |min, max| ["--draft-life-min-seconds", min, "--draft-life-max-seconds", max];
        assert!(load_from(&lives("60", "60"), &[]).is_ok());
        assert!(load_from(&lives("61", "60"), &[]).is_err());
    }

    #[test]
    fn stores_that_would_forget_each_other_are_refused() {
        assert!(load_from(&["--catalog", "memory"], &[]).is_err());
        assert!(load_from(&["--originals", "memory"], &[]).is_err());
        assert!(load_from(&["--catalog", "memory", "--originals", "memory"], &[]).is_ok());
    }
}
