//! hyper and nothing else, to compare with: one thread, HTTP/1.1, the same answer to everybody, as long as one of the
//! policy service. `hello ADDRESS`; bench/http/compare.sh runs it.
#![expect(clippy::print_stdout, reason = "it says where it listens")]

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::future::ready;

/// As long as the answer that sends a call to a peer.
static ANSWER: [u8; 315] = [b'x'; 315];

fn main() -> anyhow::Result<()> {
    let at = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(at).await?;
        println!("hello on {}", listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let service = service_fn(|_: Request<Incoming>| {
                let mut answer = Response::new(Full::new(Bytes::from_static(&ANSWER)));
                let headers = answer.headers_mut();
                let xml = HeaderValue::from_static("application/xml; charset=utf-8");
                headers.insert(CONTENT_TYPE, xml);
                headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
                ready(Ok::<_, Infallible>(answer))
            });
            let served = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::spawn(async move {
                // Who closes while it is answered is no news.
                drop(served.await);
            });
        }
    })
}
