//! sipp as a caller or a peer, and what it counted.

use super::ports;
use super::process::Process;
use super::scenario::Scenario;
use super::stage::Stage;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

/// How many calls a caller has at one time if the test does not say.
const AT_ONCE: u32 = 30;
/// How many begin in a second: in effect, the next begins when one ends.
const RATE: u32 = 5000;
/// How long a run may take if the test does not say.
const PATIENCE: Duration = Duration::from_secs(60);
/// SIP, control, and two for media, one after the other but one.
const PORTS: u16 = 5;

/// How messages travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    /// One connection for all calls.
    Tcp,
    /// A connection for each call.
    TcpEach,
    /// One socket for all calls.
    Udp,
}

/// A sipp that is about to start.
pub(crate) struct Sipp {
    name: String,
    folder: PathBuf,
    command: std::process::Command,
    calls: u32,
    at_once: u32,
    rate: u32,
    port: u16,
    over: Over,
    patience: Duration,
}

/// A sipp that runs.
pub(crate) struct Running {
    process: Process,
    folder: PathBuf,
    name: String,
    calls: u32,
    /// Where it speaks SIP.
    pub(crate) port: u16,
    patience: Duration,
}

/// What a sipp counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Calls that went as the scenario says.
    pub(crate) successful: u64,
    /// Calls that did not.
    pub(crate) failed: u64,
    /// Of these, because of a message that the scenario does not have there.
    pub(crate) unexpected: u64,
    /// Calls that came in.
    pub(crate) incoming: u64,
    /// Messages that it repeated.
    pub(crate) repeated: u64,
}

impl Sipp {
    pub(crate) fn new(stage: &Stage, scenario: Scenario, over: Over, calls: u32) -> Self {
        let scenario = scenario.with_times(stage.t1(), stage.linger());
        let port = ports::free(PORTS);
        let name = format!("{}-{port}", scenario.name());
        let mut command = stage.command("sipp");
        match &scenario {
            Scenario::BuiltIn(name) => command.args(["-sn", name]),
            Scenario::Own(_, text) => {
                assert!(!text.contains("{{"), "a gap of {name} is not filled");
                let file = stage.file(&format!("{name}.xml"));
                fs::write(&file, text).unwrap();
                command.arg("-sf").arg(file)
            }
        };
        command.args([
            "-i",
            "127.0.0.1",
            "-p",
            &port.to_string(),
            "-t",
            over.option(),
        ]);
        command.args([
            "-cp",
            &(port + 1).to_string(),
            "-mp",
            &(port + 2).to_string(),
        ]);
        command.args(["-m", &calls.to_string(), "-timer_resol", "1", "-nostdin"]);
        // A message is taken in when all calls have said what the one before made them say: else
        // sipp finds it wrong, because it came while the call was "sending".
        command.args(["-max_recv_loops", "1"]);
        // With the 64 KiB that it asks for by itself it loses datagrams of some dozen calls at once.
        command.args(["-buff_size", "1048576"]);
        if over == Over::Udp && !stage.may_lose() {
            command.arg("-nr");
        }
        let file = |ending: &str| stage.file(&format!("{name}.{ending}"));
        command
            .args(["-trace_stat", "-fd", "1", "-stf"])
            .arg(file("csv"));
        command.args(["-trace_err", "-error_file"]).arg(file("err"));
        Self {
            folder: stage.file(""),
            name,
            command,
            calls,
            at_once: AT_ONCE,
            rate: RATE,
            port,
            over,
            patience: PATIENCE,
        }
    }

    /// Calls at one time; the next one begins when one of them ends.
    pub(crate) fn at_once(self, at_once: u32) -> Self {
        Self { at_once, ..self }
    }

    /// Calls that begin in a second, if so many may be there at one time.
    pub(crate) fn rate(self, rate: u32) -> Self {
        Self { rate, ..self }
    }

    /// How long the whole run may take.
    pub(crate) fn patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Writes down every message, for [`Running::messages`].
    pub(crate) fn written_down(mut self) -> Self {
        let file = self.folder.join(format!("{}.msg", self.name));
        self.command.args(["-trace_msg", "-message_file"]).arg(file);
        self
    }

    /// More of the command line.
    pub(crate) fn with(mut self, arguments: &[&str]) -> Self {
        self.command.args(arguments);
        self
    }

    /// Calls this address.
    pub(crate) fn call(mut self, address: SocketAddr) -> Running {
        self.command.arg(address.to_string());
        let (rate, at_once) = (self.rate.to_string(), self.at_once.to_string());
        self.command.args(["-r", &rate, "-l", &at_once]);
        self.start()
    }

    /// Answers. It listens when this returns.
    pub(crate) fn answer(self) -> Running {
        let over = self.over;
        let mut running = self.start();
        running.wait_until_it_listens(over);
        running
    }

    fn start(self) -> Running {
        Running {
            process: Process::start(&self.name, self.command),
            folder: self.folder,
            name: self.name,
            calls: self.calls,
            port: self.port,
            patience: self.patience,
        }
    }
}

impl Running {
    /// Every call that was asked for succeeds, and none fails.
    pub(crate) fn succeeds(&mut self) -> Counts {
        let code = self.process.wait(self.patience);
        let counts = self.counts();
        let told = || format!("exit code {code:?}, {counts:?}\n{}", self.complaints());
        assert_eq!(code, Some(0), "{}", told());
        assert_eq!(counts.successful, u64::from(self.calls), "{}", told());
        assert_eq!((counts.failed, counts.unexpected), (0, 0), "{}", told());
        counts
    }

    /// Tells it to end, which it does with its last call, and gives what it counted.
    pub(crate) fn stop(&mut self) -> Counts {
        self.process.signal("USR1");
        self.process.wait(self.patience);
        let counts = self.counts();
        let told = || format!("{counts:?}\n{}", self.complaints());
        assert_eq!((counts.failed, counts.unexpected), (0, 0), "{}", told());
        counts
    }

    /// The messages that it sent or received so far, in order, each behind a line that says which.
    pub(crate) fn messages(&self) -> Vec<String> {
        let text = fs::read(self.folder.join(format!("{}.msg", self.name))).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        text.split("-----------------------------------------------")
            .filter_map(|part| part.split_once('\n'))
            .map(|(_, message)| message.to_owned())
            .filter(|message| {
                message.contains(" message sent ") || message.contains(" message received ")
            })
            .collect()
    }

    /// Waits until it has sent so many messages that begin with this.
    pub(crate) fn wait_until_sent(&mut self, start: &str, count: usize) {
        let until = Instant::now() + self.patience;
        let start = format!("\n\n{start}");
        let is_one =
            |message: &String| message.contains(" message sent ") && message.contains(&start);
        while self.messages().into_iter().filter(is_one).count() < count {
            let is_there = self.process.is_alive() && Instant::now() < until;
            assert!(is_there, "it does not send: {}", self.complaints());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// What it counted so far.
    pub(crate) fn counts(&self) -> Counts {
        let text = fs::read_to_string(self.folder.join(format!("{}.csv", self.name)));
        let text = text.unwrap_or_else(|error| panic!("{error}: {}", self.process.last_words()));
        let mut lines = text.lines();
        let columns: Vec<&str> = lines.next().unwrap().split(';').collect();
        let fields: Vec<&str> = lines.next_back().unwrap().split(';').collect();
        let count = |name: &str| {
            let name = format!("{name}(C)");
            let at = columns.iter().position(|column| *column == name).unwrap();
            fields.get(at).unwrap().parse().unwrap()
        };
        Counts {
            successful: count("SuccessfulCall"),
            failed: count("FailedCall"),
            unexpected: count("FailedUnexpectedMessage"),
            incoming: count("IncomingCall"),
            repeated: count("Retransmissions"),
        }
    }

    fn wait_until_it_listens(&mut self, over: Over) {
        // sipp says nothing when it listens, so the kernel is asked, in the program's own network.
        let (table, listening) = match over {
            Over::Tcp | Over::TcpEach => ("tcp", " 0A "),
            Over::Udp => ("udp", " 07 "),
        };
        let table = format!("/proc/{}/net/{table}", self.process.id());
        let address = format!("0100007F:{:04X} ", self.port);
        let until = Instant::now() + self.patience;
        let listens = |text: String| {
            text.lines()
                .any(|line| line.contains(&address) && line.contains(listening))
        };
        while !fs::read_to_string(&table).is_ok_and(listens) {
            let is_there = self.process.is_alive() && Instant::now() < until;
            assert!(is_there, "it does not listen: {}", self.complaints());
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// The first of what it found wrong.
    fn complaints(&self) -> String {
        let errors = fs::read_to_string(self.folder.join(format!("{}.err", self.name)));
        let errors: String = errors.unwrap_or_default().chars().take(3000).collect();
        format!("{}\n{errors}", self.process.last_words())
    }
}

impl Over {
    fn option(self) -> &'static str {
        match self {
            Self::Tcp => "t1",
            Self::TcpEach => "tn",
            Self::Udp => "u1",
        }
    }
}
