//! The faults that wait for requests.

use std::sync::Mutex;

use http::request::Parts;

use super::fault::Fault;

/// Faults that may wait at the same time.
pub(super) const FAULTS_MAX: usize = 100;

/// Faults in the order in which they were asked for. A request meets the first that fits, and no other.
#[derive(Default)]
pub(super) struct Faults(Mutex<Vec<Fault>>);

impl Faults {
    /// Adds a fault; `false` if there are too many.
    pub(super) fn add(&self, fault: Fault) -> bool {
        let mut faults = self.0.lock().expect("no method panics while it holds the faults");
        let has_room = faults.len() < FAULTS_MAX;
        if has_room {
            faults.push(fault);
        }
        has_room
    }

    /// Returns those that wait.
    pub(super) fn all(&self) -> Vec<Fault> {
        self.0.lock().expect("no method panics while it holds the faults").clone()
    }

    /// Forgets them all.
    pub(super) fn clear(&self) {
        self.0.lock().expect("no method panics while it holds the faults").clear();
    }

    /// Returns the fault that a request meets, if there is one, and counts it.
    pub(super) fn take(&self, head: &Parts, call: &str) -> Option<Fault> {
        let mut faults = self.0.lock().expect("no method panics while it holds the faults");
        let place = faults.iter().position(|fault| fault.meets(head, call))?;
        let fault = faults[place].clone();
        if faults[place].meet_one() {
            faults.remove(place);
        }
        Some(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(method: &str, path: &str) -> Parts {
        http::Request::builder().method(method).uri(path).body(()).unwrap().into_parts().0
    }

    fn faults(asked: &[&str]) -> Faults {
        let faults = Faults::default();
        for json in asked {
            assert!(faults.add(Fault::parse(json.as_bytes()).unwrap()));
        }
        faults
    }

    #[test]
    fn a_request_meets_the_first_fault_that_fits_until_its_times_are_over() {
        let faults = faults(&[
            r#"{"status":500,"method":"POST","times":2}"#,
            r#"{"delay_ms":5,"path":"/a/"}"#,
            r#"{"cut_off":"in_answer","call":"stats"}"#,
        ]);
        let names = |method, path, call: &str| faults.take(&head(method, path), call).map(|f| f.name());
        assert_eq!(names("GET", "/b/c", "deliver"), None);
        assert_eq!(names("POST", "/a/b", "deliver"), Some("refused"));
        assert_eq!(names("POST", "/a/b", "deliver"), Some("refused"));
        assert_eq!(names("POST", "/a/b", "deliver"), Some("late"));
        assert_eq!(names("POST", "/a/b", "deliver"), None);
        assert_eq!(names("HEAD", "/b", "stats"), None);
        assert_eq!(names("GET", "/b", "stats"), Some("cut off"));
        assert!(faults.all().is_empty());
    }

    #[test]
    fn only_so_many_faults_wait() {
        let faults = Faults::default();
        let fault = Fault::parse(br#"{"status":500}"#).unwrap();
        for _ in 0..FAULTS_MAX {
            assert!(faults.add(fault.clone()));
        }
        assert!(!faults.add(fault));
        faults.clear();
        assert!(faults.all().is_empty());
    }
}
