//! What holds, and who said so.

use std::ffi::OsString;
use std::fmt::Write;

use clap::ArgMatches;

use darkroom_model::Compatibility;

use super::SettingsError;
use super::sources::{Values, gather, resolve};
use super::table::{SETTINGS, Setting};

/// Returns the settings that hold, a line each, in the form of `darkroom.toml` with the origin as a comment. A secret
/// is named and not shown. Fails as [`super::load`] does.
pub fn explain(
    flags: &ArgMatches,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<String, SettingsError> {
    let values = gather(flags, environment)?;
    let mode = resolve(&values)?.compatibility;
    let mut text = String::new();
    for setting in SETTINGS {
        writeln!(text, "{}", line(setting, &values, mode)).expect("writing to a String succeeds");
    }
    Ok(text)
}

fn line(setting: &Setting, values: &Values, mode: Compatibility) -> String {
    let key = setting.key;
    match values.get(key) {
        Some((origin, _)) if setting.secret => format!("# {key} is set, and not shown  # {origin}"),
        Some((origin, text)) => format!("{key} = {}  # {origin}", toml_value(setting, text)),
        None if setting.has_default => match setting.extended {
            None => format!("{key} = {}  # the default", setting.example),
            Some(extended) => {
                let value = if mode == Compatibility::Extended { extended } else { setting.example };
                format!("{key} = {value}  # the default of {} compatibility", mode.as_str())
            }
        },
        None => format!("# {key} is not set"),
    }
}

/// Writes a value that was given as text. Numbers and truths stay bare where the setting's own example is.
fn toml_value(setting: &Setting, text: &str) -> String {
    match setting.example.starts_with(['"', '[']) {
        true => toml::Value::String(text.to_owned()).to_string(),
        false => text.to_owned(),
    }
}
