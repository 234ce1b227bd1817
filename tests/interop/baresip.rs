//! baresip as a caller or a bridge: a user agent that sends real media, told what to do over its
//! control connection, which also tells what happens to its calls.

use super::certificates::Certificates;
use super::ports;
use super::process::Process;
use super::stage::Stage;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// How long it may take to start, and until what is waited for happens.
const PATIENCE: Duration = Duration::from_secs(30);
/// Where the package has what it is made of.
const MODULES: &str = "/usr/lib/baresip/modules";
/// SIP, SIP over TLS, control, one for evenness, and some pairs for media.
const PORTS: u16 = 24;

/// When it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answers {
    /// At once.
    AtOnce,
    /// When it is told to; it rings until then.
    WhenTold,
}

/// A baresip that runs.
pub(crate) struct Baresip {
    process: Process,
    control: TcpStream,
    /// What came over the control connection and was not looked at yet.
    unread: Vec<u8>,
    /// Events that nobody has asked for yet.
    heard: Vec<String>,
    /// Where it speaks SIP; one above it, over TLS.
    pub(crate) port: u16,
}

impl Baresip {
    /// Starts one that answers calls to this name.
    pub(crate) fn start(
        stage: &Stage,
        name: &str,
        answers: Answers,
        certificates: Option<&Certificates>,
    ) -> Self {
        // Media wants an even port.
        let first = ports::free(PORTS).next_multiple_of(2);
        let folder = stage.file(&format!("baresip-{name}"));
        fs::create_dir(&folder).unwrap();
        let control = first + 2;
        let (media, last) = (first + 4, first + PORTS - 2);
        let certificates = certificates.map_or_else(String::new, |certificates| {
            format!(
                "sip_certificate {}\nsip_cafile {}\n",
                certificates.both.display(),
                certificates.authority.display()
            )
        });
        let config = format!(
            "poll_method epoll\n\
             sip_listen 127.0.0.1:{first}\n\
             net_interface 127.0.0.1\n\
             rtp_ports {media}-{last}\n\
             call_max_calls 4\n\
             audio_source ausine,440\n\
             audio_player aubridge,{name}\n\
             audio_alert aubridge,{name}\n\
             ausrc_srate 48000\n\
             ausrc_channels 2\n\
             module_path {MODULES}\n\
             module g711.so\n\
             module ausine.so\n\
             module aubridge.so\n\
             module_tmp account.so\n\
             module_app menu.so\n\
             module_app ctrl_tcp.so\n\
             ctrl_tcp_listen 127.0.0.1:{control}\n{certificates}"
        );
        let account = format!(
            "<sip:{name}@127.0.0.1:{first}>;regint=0;audio_codecs=pcmu;answermode={}\n",
            answers.mode()
        );
        fs::write(folder.join("config"), config).unwrap();
        fs::write(folder.join("accounts"), account).unwrap();
        fs::write(folder.join("contacts"), "").unwrap();
        let mut command = stage.command("baresip");
        command.arg("-f").arg(&folder);
        let mut process = Process::start(&format!("baresip {name}"), command);
        process.wait_for("baresip is ready", PATIENCE);
        let control = TcpStream::connect((Ipv4Addr::LOCALHOST, control)).unwrap();
        Self {
            process,
            control,
            unread: Vec::new(),
            heard: Vec::new(),
            port: first,
        }
    }

    /// Calls this name at this address over `udp`, `tcp` or `tls`.
    pub(crate) fn dial(&mut self, name: &str, address: SocketAddr, transport: &str) {
        self.order(
            "dial",
            &format!("sip:{name}@{address};transport={transport}"),
        );
    }

    /// One of its commands that act on the call that it has.
    pub(crate) fn order(&mut self, command: &str, parameters: &str) {
        let order = format!(
            "{{\"command\":\"{command}\",\"params\":\"{parameters}\",\"token\":\"{command}\"}}"
        );
        // A netstring: length, colon, text, comma.
        let order = format!("{}:{order},", order.len());
        self.control.write_all(order.as_bytes()).unwrap();
        let told = self.wait_for("\"response\":true");
        assert!(told.contains("\"ok\":true"), "{command}: {told}");
    }

    /// Waits for an event of this type and gives it.
    pub(crate) fn hears_of(&mut self, event: &str) -> String {
        self.wait_for(&format!("\"type\":\"{event}\""))
    }

    /// Waits until it writes this.
    pub(crate) fn says(&mut self, words: &str) {
        self.process.wait_for(words, PATIENCE);
    }

    /// Ends it.
    pub(crate) fn end(mut self) {
        self.process.terminate();
        self.process.wait(PATIENCE);
    }

    /// Waits for a message of the control connection with this; those before it are kept.
    fn wait_for(&mut self, part: &str) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.heard.iter().position(|told| told.contains(part)) {
                return self.heard.remove(at);
            }
            let patience = until.saturating_duration_since(Instant::now());
            let patience = patience.max(Duration::from_millis(1));
            self.control.set_read_timeout(Some(patience)).unwrap();
            let mut buffer = [0; 4096];
            let length = self.control.read(&mut buffer).unwrap_or(0);
            if length == 0 {
                self.process.lines_so_far();
                let (heard, words) = (&self.heard, self.process.last_words());
                panic!("no {part}, but {heard:#?}\n{words}");
            }
            self.unread.extend(&buffer[..length]);
            while let Some(message) = self.next_message() {
                self.heard.push(message);
            }
        }
    }

    /// The next netstring, if it is there wholly.
    fn next_message(&mut self) -> Option<String> {
        let colon = self.unread.iter().position(|byte| *byte == b':')?;
        let length: usize = str::from_utf8(&self.unread[..colon])
            .unwrap()
            .parse()
            .unwrap();
        let end = colon + 1 + length;
        if self.unread.len() <= end {
            return None;
        }
        let message = String::from_utf8_lossy(&self.unread[colon + 1..end]).into_owned();
        self.unread.drain(..=end);
        Some(message)
    }
}

impl Answers {
    fn mode(self) -> &'static str {
        match self {
            Self::AtOnce => "auto",
            Self::WhenTold => "manual",
        }
    }
}
