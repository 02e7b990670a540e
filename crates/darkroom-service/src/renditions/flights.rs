//! One making for any number of those who want the same at the same time.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};

use crate::DeliverError;
use crate::rendering::RenditionName;

type Making<T> = BoxFuture<'static, Result<T, DeliverError>>;

/// What is being made, by name. Each making is driven by whoever waits for it, and ends with the last of them.
pub(crate) struct Flights<T>(Mutex<HashMap<RenditionName, WeakShared<Making<T>>>>);

impl<T> Default for Flights<T> {
    fn default() -> Flights<T> {
        Flights(Mutex::default())
    }
}

impl<T: Clone> Flights<T> {
    /// Joins the making of this rendition, or begins it.
    pub(crate) fn join<M>(&self, name: RenditionName, begin: impl FnOnce() -> M) -> Shared<Making<T>>
    where
        M: Future<Output = Result<T, DeliverError>> + Send + 'static,
    {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(making) = flights.get(&name).and_then(WeakShared::upgrade) {
            return making;
        }
        // Few at a time are made: the places to wait in are few.
        flights.retain(|_, making| making.upgrade().is_some());
        let making = begin().boxed().shared();
        flights.extend(making.downgrade().map(|weak| (name, weak)));
        making
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::sync::oneshot;

    const NAME: RenditionName = RenditionName([1; 32]);

    /// Begins makings that fail when they are told to, and counts how many began and how many are going on.
    #[derive(Default)]
    struct Maker {
        begun: AtomicUsize,
        going_on: Arc<()>,
    }

    impl Maker {
        fn making(&self, told: oneshot::Receiver<()>) -> Making<()> {
            self.begun.fetch_add(1, Ordering::SeqCst);
            let held = Arc::clone(&self.going_on);
            let making = async move {
                let _ = told.await;
                drop(held);
                Err(DeliverError::TookTooMuch)
            };
            making.boxed()
        }

        fn counts(&self) -> (usize, usize) {
            (self.begun.load(Ordering::SeqCst), Arc::strong_count(&self.going_on) - 1)
        }
    }

    #[tokio::test]
    async fn all_who_want_the_same_wait_for_one_making() {
        let (flights, maker) = (Flights::default(), Maker::default());
        let (tell, told) = oneshot::channel();
        let first = tokio::spawn(flights.join(NAME, || maker.making(told)));
        let others = [(); 50].map(|()| {
            tokio::spawn(flights.join(NAME, || -> Making<()> { unreachable!("it is being made") }))
        });
        tokio::task::yield_now().await;
        // The one who began it goes away; nobody else notices.
        first.abort();
        assert!(first.await.unwrap_err().is_cancelled());
        assert_eq!(maker.counts(), (1, 1));
        tell.send(()).unwrap();
        for other in others {
            assert!(matches!(other.await.unwrap(), Err(DeliverError::TookTooMuch)));
        }
        // A failure is not kept.
        let (tell, told) = oneshot::channel();
        tell.send(()).unwrap();
        assert!(flights.join(NAME, || maker.making(told)).await.is_err());
        assert_eq!(maker.counts(), (2, 0));
    }

    #[tokio::test]
    async fn a_making_that_nobody_waits_for_any_more_ends() {
        let (flights, maker) = (Flights::default(), Maker::default());
        let (_tell, told) = oneshot::channel();
        let waiting = [
            tokio::spawn(flights.join(NAME, || maker.making(told))),
            tokio::spawn(flights.join(NAME, || -> Making<()> { unreachable!("it is being made") })),
        ];
        tokio::task::yield_now().await;
        for waiting in waiting {
            assert_eq!(maker.counts(), (1, 1));
            waiting.abort();
            let _ = waiting.await;
        }
        assert_eq!(maker.counts(), (1, 0));
        // What ended leaves nothing behind once the next one begins.
        let (_tell, told) = oneshot::channel();
        let _other = flights.join(RenditionName([2; 32]), || maker.making(told));
        assert_eq!(flights.0.lock().unwrap().len(), 1);
    }
}
