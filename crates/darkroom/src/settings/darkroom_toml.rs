//! The text of `darkroom.toml`: every setting, its default, a sentence each.

use std::fmt::Write;

use super::table::SETTINGS;

/// Returns the text of the `darkroom.toml` that is kept beside the sources.
pub fn text() -> String {
    let mut text = String::from(
        "# Settings of Darkroom. Every line that is commented out shows what holds without it, or an example.\n\
         # Flags beat the environment, the environment beats this file. A variable whose name ends in _FILE\n\
         # (DARKROOM_API_TOKEN_FILE) names a file to read the value from.\n",
    );
    for setting in SETTINGS {
        let flag = if setting.secret { String::new() } else { format!("--{} or ", setting.flag()) };
        let example = if setting.has_default { "" } else { " No default; an example:" };
        let extended = match setting.extended {
            Some(value) => format!("  # {value} if compatibility is \"extended\""),
            None => String::new(),
        };
        write!(
            text,
            "\n# {}{example}\n# Also {flag}{}: {}.\n# {} = {}{extended}\n",
            setting.help,
            setting.environment(),
            setting.expected,
            setting.key,
            setting.example
        )
        .expect("writing to a String succeeds");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::table::Setting;
    use crate::settings::{Listen, Settings, sources};
    use darkroom_model::Compatibility;

    /// The text with its settings no longer commented out.
    fn switched_on(wanted: impl Fn(bool) -> bool) -> String {
        let lines = SETTINGS.iter().filter(|setting| wanted(setting.has_default));
        lines.map(|setting| format!("{} = {}\n", setting.key, setting.example)).collect()
    }

    #[test]
    fn the_defaults_shown_are_the_defaults_that_hold() {
        let settings = sources::from_toml("darkroom.toml", &switched_on(|has_default| has_default)).unwrap();
        assert_eq!(settings.listen, Listen::Named(Listen::DEFAULT.to_vec()));
        assert_eq!(Settings { listen: Listen::Default, ..settings }, Settings::default());
    }

    #[test]
    fn the_second_defaults_shown_are_those_of_extended_mode() {
        let second = |setting: &Setting| Some(format!("{} = {}\n", setting.key, setting.extended?));
        let written: String = SETTINGS.iter().filter_map(second).collect();
        let settings = sources::from_toml("darkroom.toml", &written).unwrap();
        assert_eq!(settings.limits, Compatibility::Extended.limits());
        let extended = sources::from_toml("darkroom.toml", "compatibility = \"extended\"").unwrap();
        assert_eq!(extended.limits, Compatibility::Extended.limits());
        let first = |setting: &Setting| setting.extended == Some(setting.example);
        assert!(!SETTINGS.iter().any(first), "a second default that is none");
    }

    #[test]
    fn the_examples_are_legal() {
        sources::from_toml("darkroom.toml", &switched_on(|_| true)).unwrap();
    }

    #[test]
    fn the_committed_file_is_fresh() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../darkroom.toml");
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        if committed != text() && std::env::var_os("UPDATE_GENERATED").is_some() {
            std::fs::write(path, text()).unwrap();
            return;
        }
        assert!(committed == text(), "darkroom.toml is stale: run this test with UPDATE_GENERATED=1");
    }

    #[test]
    fn the_committed_file_decides_nothing() {
        assert_eq!(sources::from_toml("darkroom.toml", &text()).unwrap(), Settings::default());
    }
}
