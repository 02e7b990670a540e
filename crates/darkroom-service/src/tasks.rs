//! Work that is finished whether or not the one who asked for it still waits.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::ServiceError;

/// Most tasks at the same time; further ones wait.
const TASKS_MAX: u32 = 1 << 16;

/// The tasks of one service, which closing waits for.
pub(crate) struct Tasks {
    places: Arc<Semaphore>,
}

impl Tasks {
    pub(crate) fn new() -> Tasks {
        Tasks { places: Arc::new(Semaphore::new(TASKS_MAX as usize)) }
    }

    /// Runs work in a task of its own and returns what it returns. Dropping the answer does not stop the work.
    /// [`ServiceError::Unavailable`] once the service is closing; the work is not begun then.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, ServiceError>> + Send + 'static,
    ) -> Result<T, ServiceError> {
        let place = self.place().await?;
        let task = tokio::spawn(async move {
            let result = work.await;
            drop(place);
            result
        });
        task.await.map_err(ServiceError::internal)?
    }

    /// Starts work for which nobody waits. As [`Tasks::run`] otherwise.
    pub(crate) async fn start(
        &self,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), ServiceError> {
        let place = self.place().await?;
        tokio::spawn(async move {
            work.await;
            drop(place);
        });
        Ok(())
    }

    /// Waits for every task that was begun, and lets no further one begin.
    pub(crate) async fn close(&self) {
        // Whoever asks for a place after this waits behind it, until the places are closed.
        let _every_place = self.places.acquire_many(TASKS_MAX).await;
        self.places.close();
    }

    async fn place(&self) -> Result<OwnedSemaphorePermit, ServiceError> {
        Arc::clone(&self.places).acquire_owned().await.map_err(|_| ServiceError::Unavailable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    #[tokio::test]
    async fn closing_waits_for_work_that_nobody_waits_for() {
        let tasks = Tasks::new();
        let done = Arc::new(AtomicBool::new(false));
        let (work_done, (sender, receiver)) = (Arc::clone(&done), tokio::sync::oneshot::channel::<()>());
        let mut asked = Box::pin(tasks.run(async move {
            let _ = receiver.await;
            tokio::time::sleep(Duration::from_millis(20)).await;
            work_done.store(true, Ordering::SeqCst);
            Ok(())
        }));
        assert!(tokio::time::timeout(Duration::from_millis(5), &mut asked).await.is_err());
        drop(asked);
        sender.send(()).unwrap();
        tasks.close().await;
        assert!(done.load(Ordering::SeqCst));
        assert!(matches!(tasks.run(async { Ok(()) }).await, Err(ServiceError::Unavailable)));
    }
}
