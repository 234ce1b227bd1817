//! Ctrl-C: the first one asks for the end and a report, the second one is the end.

use loadtest::drive::runtime;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How a program ends that Ctrl-C has ended.
const INTERRUPTED: i32 = 130;

/// A thread that waits for them; what it gives becomes true with the first.
pub(super) fn heed() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&stop);
    let runtime = runtime()?;
    let waiting = move || {
        runtime.block_on(async {
            while tokio::signal::ctrl_c().await.is_ok() {
                // Relaxed: a word on its own.
                if asked.swap(true, Ordering::Relaxed) {
                    std::process::exit(INTERRUPTED);
                }
            }
        });
    };
    std::thread::Builder::new()
        .name("interrupts".into())
        .spawn(waiting)?;
    Ok(stop)
}
