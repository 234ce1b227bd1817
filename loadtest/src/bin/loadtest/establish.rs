//! Many calls up at once: how much memory a server needs for each.

use super::memory::Memory;
use super::options::Options;
use loadtest::agent::{Agent, Caller};
use loadtest::drive::Wire;
use loadtest::load::{Load, Tally, begin_what_is_due};
use std::io::Write;
use std::time::{Duration, Instant};

/// Calls hung up between two looks at the socket.
const BURST: usize = 32;

/// Sets the calls up, holds them, reads memory on the way, and tears them down.
pub(super) async fn run(
    out: &mut impl Write,
    options: &Options,
    wire: &mut Wire,
    caller: &mut Caller,
    load: &mut Load,
) -> anyhow::Result<Tally> {
    let mut tally = Tally::new()?;
    let before = options.pid.map(Memory::of).transpose()?;
    if let Some(before) = &before {
        writeln!(out, "  before: {before}")?;
    }
    let start = Instant::now();
    let mut next_second = start + Duration::from_secs(1);
    while tally.finished() + caller.counts().answered < options.calls() {
        begin_what_is_due(wire, caller, load, &mut tally, start).await?;
        wire.turn(caller, Instant::now() + Duration::from_millis(1))
            .await?;
        take_outcomes(caller, &mut tally);
        if Instant::now() >= next_second {
            next_second += Duration::from_secs(1);
            writeln!(
                out,
                "  {} of {} up",
                caller.counts().answered,
                options.calls()
            )?;
        }
    }
    writeln!(out, "established {}", caller.live())?;
    out.flush()?;
    tell(out, options, before, caller)?;
    hold(
        wire,
        caller,
        &mut tally,
        Duration::from_secs(options.hold_seconds),
    )
    .await?;
    writeln!(
        out,
        "  after {} s, {} calls up",
        options.hold_seconds,
        caller.live()
    )?;
    tell(out, options, before, caller)?;
    tear_down(wire, caller, &mut tally, options.rate).await?;
    Ok(tally)
}

fn tell(
    out: &mut impl Write,
    options: &Options,
    before: Option<Memory>,
    caller: &Caller,
) -> anyhow::Result<()> {
    let (Some(pid), Some(before)) = (options.pid, before) else {
        return Ok(());
    };
    let now = Memory::of(pid)?;
    let calls = u64::try_from(caller.live())?;
    match now.bytes_per_call(&before, calls) {
        Some(bytes) => writeln!(out, "  {now}: {bytes} bytes per call")?,
        None => writeln!(out, "  {now}")?,
    }
    out.flush()?;
    Ok(())
}

async fn hold(
    wire: &mut Wire,
    caller: &mut Caller,
    tally: &mut Tally,
    time: Duration,
) -> anyhow::Result<()> {
    let end = Instant::now() + time;
    while Instant::now() < end {
        wire.turn(caller, end).await?;
        take_outcomes(caller, tally);
    }
    Ok(())
}

/// Hangs up at the rate at which the calls were set up.
async fn tear_down(
    wire: &mut Wire,
    caller: &mut Caller,
    tally: &mut Tally,
    rate: u32,
) -> anyhow::Result<()> {
    let up: Vec<u64> = caller.up_numbers().collect();
    let pause = Duration::from_secs(u64::try_from(BURST)?) / rate.max(1);
    for burst in up.chunks(BURST) {
        for number in burst {
            caller.hang_up(Instant::now(), *number);
        }
        hold(wire, caller, tally, pause).await?;
    }
    while caller.live() > 0 {
        wire.turn(caller, Instant::now() + Duration::from_secs(1))
            .await?;
        take_outcomes(caller, tally);
    }
    take_outcomes(caller, tally);
    Ok(())
}

fn take_outcomes(caller: &mut Caller, tally: &mut Tally) {
    while let Some(outcome) = caller.poll_outcome() {
        tally.add(&outcome);
    }
}
