//! How much memory another process has, as Linux tells it.

use std::fmt;
use std::fs;

/// Two readings that matter, in kilobytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Memory {
    /// Resident, shared pages counted whole.
    rss_kb: u64,
    /// Resident, shared pages counted in parts; not every process may be asked.
    pss_kb: Option<u64>,
}

impl Memory {
    /// Reads it; an error names the process.
    pub(super) fn of(pid: u32) -> anyhow::Result<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).map_err(|error| {
            anyhow::anyhow!("process {pid} cannot be asked for its memory: {error}")
        })?;
        let rss_kb = kilobytes(&status, "VmRSS:")
            .ok_or_else(|| anyhow::anyhow!("process {pid} has no memory of its own"))?;
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok();
        Ok(Self {
            rss_kb,
            pss_kb: rollup.and_then(|text| kilobytes(&text, "Pss:")),
        })
    }

    /// Bytes for each of so many calls, beyond what there was before; of the finer reading.
    pub(super) fn bytes_per_call(&self, before: &Self, calls: u64) -> Option<i64> {
        let (now, then) = match (self.pss_kb, before.pss_kb) {
            (Some(now), Some(then)) => (now, then),
            _ => (self.rss_kb, before.rss_kb),
        };
        let grown = i64::try_from(now)
            .ok()?
            .checked_sub(i64::try_from(then).ok()?)?;
        grown
            .checked_mul(1024)?
            .checked_div(i64::try_from(calls).ok()?)
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VmRSS {} kB", self.rss_kb)?;
        match self.pss_kb {
            Some(pss) => write!(f, ", Pss {pss} kB"),
            None => write!(f, ", Pss unreadable"),
        }
    }
}

fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory() {
        let memory = Memory::of(std::process::id()).unwrap();
        assert!(memory.rss_kb > 100, "{memory}");
        let more = Memory {
            rss_kb: memory.rss_kb + 100,
            pss_kb: memory.pss_kb.map(|pss| pss + 100),
        };
        assert_eq!(more.bytes_per_call(&memory, 50), Some(2048));
    }
}
