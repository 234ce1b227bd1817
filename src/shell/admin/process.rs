//! What the kernel knows of this process: memory, descriptors, processor time. Read from `/proc`
//! when somebody asks; what cannot be read is left out.

use std::fs;

/// Ticks a second in `/proc/PID/stat`: fixed in the kernel's interface to programs.
const TICKS: f64 = 100.0;

/// Memory and threads of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) threads: u64,
    pub(super) virtual_octets: u64,
    pub(super) resident_octets: u64,
}

/// Reads memory and threads of the process.
pub(super) fn process() -> Option<Process> {
    parse_status(&fs::read_to_string("/proc/self/status").ok()?)
}

fn parse_status(status: &str) -> Option<Process> {
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_ascii_whitespace().next()?.parse::<u64>().ok()
    };
    Some(Process {
        threads: field("Threads:")?,
        virtual_octets: field("VmSize:")? * 1024,
        resident_octets: field("VmRSS:")? * 1024,
    })
}

/// Processor time of the whole process.
pub(super) fn cpu_seconds() -> Option<f64> {
    parse_stat(&fs::read_to_string("/proc/self/stat").ok()?)
}

fn parse_stat(stat: &str) -> Option<f64> {
    // The second field is the program's name in brackets and may hold anything.
    let (_, rest) = stat.rsplit_once(')')?;
    // proc(5) counts from 1; the first field here is its third, wanted are 14 and 15.
    let mut ticks = rest.split_ascii_whitespace().skip(11);
    let mut next = || ticks.next()?.parse::<u32>().ok().map(f64::from);
    Some((next()? + next()?) / TICKS)
}

/// File descriptors that are open.
pub(super) fn open_fds() -> Option<usize> {
    // One of them is the folder that is being read.
    fs::read_dir("/proc/self/fd")
        .ok()
        .map(|list| list.count().saturating_sub(1))
}

/// File descriptors that may be open.
pub(super) fn max_fds() -> Option<u64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"))?;
    line.split_ascii_whitespace().nth(3)?.parse().ok()
}

/// Processor time of a thread of ours, to the nanosecond where the kernel counts so.
pub(super) fn thread_seconds(thread: u64) -> Option<f64> {
    let text = fs::read_to_string(format!("/proc/self/task/{thread}/schedstat")).ok()?;
    let nanoseconds: u64 = text.split_ascii_whitespace().next()?.parse().ok()?;
    Some(std::time::Duration::from_nanos(nanoseconds).as_secs_f64())
}

/// The kernel's number of the thread that asks.
pub(in crate::shell) fn this_thread() -> Option<u64> {
    let link = fs::read_link("/proc/thread-self").ok()?;
    link.file_name()?.to_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_anything() {
        let stat = "7 (a) b) c) S 1 2 3 4 5 6 7 8 9 10 150 50 13 14 15 16 9";
        assert_eq!(parse_stat(stat), Some(2.0));
        assert_eq!(parse_stat("7 (a) S 1"), None);
    }

    #[test]
    fn memory_is_told_in_octets() {
        let expected = Process {
            threads: 9,
            virtual_octets: 2048,
            resident_octets: 1024,
        };
        let status = "Name:\ta\nVmSize:\t       2 kB\nVmRSS:\t 1 kB\nThreads:\t9\n";
        assert_eq!(parse_status(status), Some(expected));
        assert_eq!(parse_status("Name:\ta\n"), None);
    }

    #[test]
    fn this_process_has_figures() {
        let process = process().expect("Linux");
        assert!(process.threads >= 1 && process.resident_octets > 0);
        assert!(cpu_seconds().is_some());
        assert!(open_fds().expect("Linux") >= 3);
        assert!(max_fds().expect("Linux") >= 3);
        let thread = this_thread().expect("Linux");
        assert!(thread_seconds(thread).is_some_and(|seconds| seconds >= 0.0));
        assert_eq!(thread_seconds(u64::MAX), None);
    }
}
