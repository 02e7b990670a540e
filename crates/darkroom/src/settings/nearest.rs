//! The known name that is spelt most like an unknown one.

/// Returns the candidate with the smallest edit distance to `name`, if it is near enough to be meant.
pub(super) fn nearest(name: &str, candidates: impl Iterator<Item = String>) -> Option<String> {
    let distance_max = (name.len() / 3).max(2);
    candidates
        .map(|candidate| (edit_distance(name, &candidate), candidate))
        .filter(|(distance, _)| *distance <= distance_max)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Counts the insertions, removals and replacements of bytes that turn one text into the other.
fn edit_distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.bytes().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_name_and_another_word_finds_none() {
        let candidates = || ["listen", "data", "public_url"].into_iter().map(String::from);
        assert_eq!(nearest("lisen", candidates()).as_deref(), Some("listen"));
        assert_eq!(nearest("public-url", candidates()).as_deref(), Some("public_url"));
        assert_eq!(nearest("thumbnails", candidates()), None);
    }

    #[test]
    fn distance_counts_single_changes() {
        for (from, to, distance) in [("", "abc", 3), ("abc", "", 3), ("kitten", "sitting", 3), ("a", "a", 0)]
        {
            assert_eq!(edit_distance(from, to), distance, "{from} {to}");
        }
    }
}
