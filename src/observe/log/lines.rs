//! Log lines on their way to standard error: a bounded queue, and a thread that alone writes.
//!
//! Whoever reads standard error may stop reading, and a pipe or a disk that is full holds up whoever
//! writes to it. So nobody who serves calls writes: a line goes into the queue or, when there is no
//! room, is lost and counted. Once there is room again a line tells how many were lost.

use crossbeam_queue::ArrayQueue;
use std::io::{self, ErrorKind, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};
use tracing::warn;

/// How long a reader that takes nothing now, and does not let us wait for it either, is left alone.
const REST: Duration = Duration::from_millis(10);
/// How often it is looked whether everything is written.
const LOOK: Duration = Duration::from_millis(1);

/// The queue.
pub(super) struct Lines {
    waiting: ArrayQueue<Vec<u8>>,
    /// Octets that wait or are being written. Whoever sees 0 knows that all is written.
    octets: AtomicUsize,
    octets_max: usize,
    lost: AtomicU64,
    writer: OnceLock<Thread>,
}

impl Lines {
    pub(super) fn new(lines_max: usize, octets_max: usize) -> Self {
        Self {
            waiting: ArrayQueue::new(lines_max),
            octets: AtomicUsize::new(0),
            octets_max,
            lost: AtomicU64::new(0),
            writer: OnceLock::new(),
        }
    }

    /// How many lines were lost.
    pub(super) fn lost(&self) -> u64 {
        // Relaxed: a figure of its own.
        self.lost.load(Ordering::Relaxed)
    }

    /// Takes a line; never waits.
    fn put(&self, line: &[u8]) {
        // Relaxed: only the figure matters, and it may be passed by one line for each thread that
        // puts one in at the same moment.
        let before = self.octets.fetch_add(line.len(), Ordering::Relaxed);
        let has_room = before == 0 || before + line.len() <= self.octets_max;
        if !has_room || self.waiting.push(line.to_vec()).is_err() {
            self.octets.fetch_sub(line.len(), Ordering::Relaxed);
            self.lose_one();
            return;
        }
        if let Some(writer) = self.writer.get() {
            writer.unpark();
        }
    }

    fn lose_one(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
    }

    /// Names the thread that writes, before the first line comes.
    pub(super) fn written_by(&self, writer: Thread) {
        let is_alone = self.writer.set(writer).is_ok();
        debug_assert!(is_alone, "one thread writes");
    }

    /// Writes whatever comes, for ever.
    pub(super) fn write_to(&self, out: &mut impl Write) {
        let mut told = 0;
        loop {
            while let Some(line) = self.waiting.pop() {
                if write_whole(out, &line).is_err() {
                    // Nobody is left to be told.
                    self.lose_one();
                    told += 1;
                }
                // Release: see `is_written`.
                self.octets.fetch_sub(line.len(), Ordering::Release);
                told = self.tell_lost(told);
            }
            thread::park();
        }
    }

    /// Says how many lines were lost since so many were; there is room for that line now.
    fn tell_lost(&self, told: u64) -> u64 {
        let lost = self.lost();
        if lost > told {
            let lines = lost - told;
            warn!(lines, "log lines were lost: nobody read them in time");
        }
        lost
    }

    /// Waits until all lines are written, but not longer than this.
    pub(super) fn flush(&self, patience: Duration) {
        let begun = Instant::now();
        while !self.is_written() && begun.elapsed() < patience {
            thread::sleep(LOOK);
        }
    }

    fn is_written(&self) -> bool {
        // Acquire: what the writer did before it took its line off is done.
        self.octets.load(Ordering::Acquire) == 0
    }
}

/// Each call is a whole line.
impl Write for &Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.put(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes a line to its end. Standard error may have been made non-blocking by whoever shares it.
fn write_whole(out: &mut impl Write, line: &[u8]) -> io::Result<()> {
    let mut rest = line;
    while !rest.is_empty() {
        match out.write(rest) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(count) => rest = rest.get(count..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(REST),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    const PATIENCE: Duration = Duration::from_secs(30);

    /// Takes each write to whoever reads the other end, and waits for him.
    struct Pipe(SyncSender<Vec<u8>>);

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let sent = self.0.send(bytes.to_vec());
            sent.map_err(|_| ErrorKind::BrokenPipe)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A queue of four lines and 64 octets whose writer writes to a pipe without room.
    fn world() -> (Arc<Lines>, Receiver<Vec<u8>>) {
        let lines = Arc::new(Lines::new(4, 64));
        let (pipe, read) = sync_channel(0);
        let written = Arc::clone(&lines);
        let writer = thread::spawn(move || written.write_to(&mut Pipe(pipe)));
        lines.written_by(writer.thread().clone());
        (lines, read)
    }

    #[test]
    fn lines_keep_their_order() {
        let (lines, read) = world();
        for line in ["a\n", "b\n", "c\n"] {
            lines.put(line.as_bytes());
            assert_eq!(read.recv_timeout(PATIENCE).unwrap(), line.as_bytes());
        }
        lines.flush(PATIENCE);
        assert!(lines.is_written() && lines.lost() == 0);
    }

    #[test]
    fn a_reader_that_stops_holds_up_nobody() {
        let (lines, read) = world();
        for _ in 0..100 {
            lines.put(b"a\n");
        }
        // One may be in the writer's hand.
        assert!((95..=96).contains(&lines.lost()), "{}", lines.lost());
        lines.flush(Duration::from_millis(5));
        assert!(!lines.is_written());
        let mut count = 0;
        while !lines.is_written() {
            count += usize::from(read.recv_timeout(LOOK).is_ok());
        }
        assert_eq!(count as u64 + lines.lost(), 100);
    }

    #[test]
    fn octets_are_bounded_and_one_line_always_has_room() {
        let lines = Lines::new(4, 64);
        lines.put(&[b'a'; 100]);
        assert_eq!((lines.waiting.len(), lines.lost()), (1, 0));
        lines.put(b"b\n");
        assert_eq!((lines.waiting.len(), lines.lost()), (1, 1));
    }

    #[test]
    fn a_reader_that_has_gone_is_counted_and_ends_nothing() {
        let (lines, read) = world();
        drop(read);
        for count in 1..=10 {
            lines.put(b"a\n");
            lines.flush(PATIENCE);
            assert_eq!(lines.lost(), count);
        }
    }
}
