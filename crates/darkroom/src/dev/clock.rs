//! A clock that tests decide.

use std::sync::{Mutex, MutexGuard};

use darkroom_model::{Clock, SystemClock, Timestamp};

/// How a clock goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Pace {
    /// It stands at a moment.
    Stands(Timestamp),
    /// It runs as the machine's does, so many milliseconds ahead of it.
    Runs {
        /// Less than zero if it is behind.
        ahead_millis: i64,
    },
}

/// The clock of a server for tests. What tokio times, such as how long a body may pause, does not follow it.
pub(crate) struct MovableClock(Mutex<Pace>);

/// A moment that cannot be written, which a clock therefore never shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ClockError;

impl MovableClock {
    /// Makes a clock that stands at a moment, or without one, runs as the machine's.
    pub(crate) fn beginning_at(moment: Option<Timestamp>) -> MovableClock {
        let pace = moment.map_or(Pace::Runs { ahead_millis: 0 }, Pace::Stands);
        MovableClock(Mutex::new(pace))
    }

    /// Returns how it goes.
    pub(crate) fn pace(&self) -> Pace {
        *self.inner()
    }

    /// Changes how it goes.
    pub(crate) fn set(&self, pace: Pace) {
        *self.inner() = pace;
    }

    /// Moves it, backwards if the time is less than zero, and lets it stand or run as before.
    pub(crate) fn advance(&self, millis: i64) -> Result<(), ClockError> {
        let mut pace = self.inner();
        let moved = now(*pace).0 as i64 + millis;
        if !(0..=Timestamp::MAX.0 as i64).contains(&moved) {
            return Err(ClockError);
        }
        *pace = match *pace {
            Pace::Stands(_) => Pace::Stands(Timestamp(moved as u64)),
            Pace::Runs { ahead_millis } => Pace::Runs { ahead_millis: ahead_millis + millis },
        };
        Ok(())
    }

    /// Lets it run on from where it is, or stand there.
    pub(crate) fn let_run(&self, runs: bool) {
        let mut pace = self.inner();
        let shown = now(*pace);
        *pace = match runs {
            true => Pace::Runs { ahead_millis: shown.0 as i64 - SystemClock.now().0 as i64 },
            false => Pace::Stands(shown),
        };
    }

    fn inner(&self) -> MutexGuard<'_, Pace> {
        self.0.lock().expect("no method panics while it holds the pace")
    }
}

fn now(pace: Pace) -> Timestamp {
    match pace {
        Pace::Stands(moment) => moment,
        Pace::Runs { ahead_millis } => {
            let shown = SystemClock.now().0.saturating_add_signed(ahead_millis);
            Timestamp(shown.min(Timestamp::MAX.0))
        }
    }
}

impl Clock for MovableClock {
    fn now(&self) -> Timestamp {
        now(self.pace())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW_YEAR: Timestamp = Timestamp(1_767_225_600_000);

    #[test]
    fn a_clock_that_stands_moves_when_it_is_told_to() {
        let clock = MovableClock::beginning_at(Some(NEW_YEAR));
        assert_eq!(clock.now(), NEW_YEAR);
        clock.advance(1_500).unwrap();
        clock.advance(-500).unwrap();
        assert_eq!(clock.now(), Timestamp(NEW_YEAR.0 + 1_000));
    }

    #[test]
    fn a_clock_that_runs_stays_ahead() {
        let clock = MovableClock::beginning_at(None);
        clock.advance(3_600_000).unwrap();
        assert_eq!(clock.pace(), Pace::Runs { ahead_millis: 3_600_000 });
        let (before, shown, after) = (SystemClock.now(), clock.now(), SystemClock.now());
        assert!((before.0..=after.0).contains(&(shown.0 - 3_600_000)));
        clock.let_run(false);
        assert_eq!(clock.pace(), Pace::Stands(clock.now()));
    }

    #[test]
    fn no_clock_shows_a_moment_that_cannot_be_written() {
        let clock = MovableClock::beginning_at(Some(NEW_YEAR));
        for millis in [-(NEW_YEAR.0 as i64) - 1, Timestamp::MAX.0 as i64] {
            assert_eq!(clock.advance(millis), Err(ClockError));
        }
        assert_eq!(clock.now(), NEW_YEAR);
    }
}
