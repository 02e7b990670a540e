//! An origin on loopback that images are fetched from.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// An origin that answers a path as a test says, and keeps the heads of its requests.
pub(crate) struct Origin {
    pub(crate) place: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Origin {
    pub(crate) async fn start(script: impl Fn(&str) -> Vec<u8> + Send + 'static) -> Origin {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let place = listener.local_addr().unwrap().to_string();
        let heads = Arc::<Mutex<Vec<String>>>::default();
        let kept = Arc::clone(&heads);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = vec![0; 4096];
                let length = stream.read(&mut head).await.unwrap_or(0);
                let head = String::from_utf8_lossy(&head[..length]).into_owned();
                let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
                kept.lock().unwrap().push(head);
                let _ = stream.write_all(&script(&path)).await;
            }
        });
        Origin { place, heads }
    }

    /// Starts one that has this file everywhere, with these headers.
    pub(crate) async fn of(file: &'static [u8], headers: &'static str) -> Origin {
        Origin::start(move |_| [b"HTTP/1.1 200 OK\r\n", headers.as_bytes(), b"\r\n", file].concat()).await
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.place)
    }

    pub(crate) fn requests(&self) -> usize {
        self.heads.lock().unwrap().len()
    }

    pub(crate) fn last_head(&self) -> String {
        self.heads.lock().unwrap().last().cloned().unwrap_or_default()
    }
}
