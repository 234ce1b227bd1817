//! What went over the wire, as Wireshark's capture and dissectors see it.

use super::process::Process;
use super::skip;
use super::stage::Stage;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(30);

/// A capture of the loopback device of a stage that runs.
pub(crate) struct Capture {
    process: Process,
    file: PathBuf,
    /// Ports on which SIP is spoken.
    ports: Vec<u16>,
}

/// One SIP message as tshark decodes it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Message {
    /// The port that it came from.
    pub(crate) source: u16,
    /// The port that it went to.
    pub(crate) destination: u16,
    /// Whether it went over UDP.
    pub(crate) is_datagram: bool,
    /// What the dissectors find wrong in SIP or SDP, or that they could not read it at all.
    pub(crate) faults: Vec<String>,
    fields: Vec<(String, String)>,
}

impl Capture {
    /// Starts; everything that is sent after this is captured.
    pub(crate) fn start(stage: &Stage) -> Self {
        Self::start_with(stage, &[])
    }

    /// The same for what goes to these ports or comes from them, on which SIP is spoken: also on a stage
    /// without a network of its own. `None` where capturing takes rights that are not there.
    pub(crate) fn start_on(stage: &Stage, ports: &[u16]) -> Option<Self> {
        let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
        if !is_root {
            skip("no capture without the rights of root");
            return None;
        }
        let filter: Vec<String> = ports.iter().map(|port| format!("port {port}")).collect();
        let mut capture = Self::start_with(stage, &["-f", &filter.join(" or ")]);
        capture.ports.extend(ports);
        Some(capture)
    }

    fn start_with(stage: &Stage, options: &[&str]) -> Self {
        let file = stage.file("capture.pcapng");
        let mut command = stage.command("dumpcap");
        command.args(["-i", "lo", "-w"]).arg(&file).args(options);
        let mut process = Process::start("dumpcap", command);
        // It says this when the device is open.
        process.wait_for("File: ", PATIENCE);
        Self {
            process,
            file,
            ports: Vec::new(),
        }
    }

    /// SIP is spoken on this port.
    pub(crate) fn expect_sip_on(&mut self, port: u16) {
        self.ports.push(port);
    }

    /// Waits until so many messages were captured, ends, and gives them in their order.
    pub(crate) fn finish(self, count: usize) -> Vec<Message> {
        self.finish_when(|messages| messages.len() >= count)
    }

    /// Waits until what was captured is complete, ends, and gives it in its order.
    pub(crate) fn finish_when(mut self, is_complete: impl Fn(&[Message]) -> bool) -> Vec<Message> {
        let until = Instant::now() + PATIENCE;
        // The capture is written with a delay, and nobody says when it is complete.
        let mut messages = self.decode();
        while !is_complete(&messages) {
            let told = || format!("only {} messages captured", messages.len());
            assert!(
                self.process.is_alive() && Instant::now() < until,
                "{}",
                told()
            );
            thread::sleep(Duration::from_millis(200));
            messages = self.decode();
        }
        self.process.terminate();
        self.process.wait(PATIENCE);
        messages
    }

    fn decode(&self) -> Vec<Message> {
        let mut command = Command::new("tshark");
        command.arg("-r").arg(&self.file).args(["-n", "-T", "pdml"]);
        for port in &self.ports {
            command.args(["-d", &format!("udp.port=={port},sip")]);
            command.args(["-d", &format!("tcp.port=={port},sip")]);
        }
        let output = command.output().unwrap();
        // A capture that still grows may end within a packet, which is said by an exit code.
        read(&String::from_utf8_lossy(&output.stdout))
    }
}

impl Message {
    /// The first value of this field.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.find(name)
            .unwrap_or_else(|| panic!("no {name}: {self:?}"))
    }

    /// The first value of this field, if there is one.
    pub(crate) fn find(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        fields
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    }

    /// Whether one of these fields has this value.
    pub(crate) fn has(&self, name: &str, value: &str) -> bool {
        let mut fields = self.fields.iter();
        fields.any(|(found, shown)| found == name && shown == value)
    }

    /// How often this field occurs.
    pub(crate) fn count(&self, name: &str) -> usize {
        self.fields
            .iter()
            .filter(|(found, _)| found == name)
            .count()
    }

    /// The method of a request.
    pub(crate) fn method(&self) -> Option<&str> {
        self.find("sip.Method")
    }

    /// The status of a response.
    pub(crate) fn status(&self) -> Option<u16> {
        self.find("sip.Status-Code")
            .map(|code| code.parse().unwrap())
    }
}

/// The SIP messages of a PDML text: one element a line, a packet's protocols side by side.
pub(crate) fn read(pdml: &str) -> Vec<Message> {
    let mut messages = Vec::new();
    let mut frame = Message::default();
    let mut message: Option<Message> = None;
    for line in pdml.lines() {
        let name = attribute(line, "name").unwrap_or_default();
        let starts_protocol = line.starts_with("  <proto ");
        if line.starts_with("<packet>") {
            frame = Message::default();
        }
        if line.starts_with("</packet>") || starts_protocol {
            messages.extend(message.take());
        }
        if starts_protocol && name == "sip" {
            message = Some(frame.clone());
        }
        if starts_protocol && name == "udp" {
            frame.is_datagram = true;
        }
        let show = || attribute(line, "show").unwrap_or_default();
        let port = || show().parse().unwrap();
        match (&mut message, name.as_str()) {
            (None, "udp.srcport" | "tcp.srcport") => frame.source = port(),
            (None, "udp.dstport" | "tcp.dstport") => frame.destination = port(),
            (None, "_ws.malformed") => messages.push(Message {
                faults: vec![line.trim().to_owned()],
                ..frame.clone()
            }),
            (None, _) => {}
            (Some(message), "_ws.malformed") => message.faults.push(line.trim().to_owned()),
            (Some(message), "_ws.expert.message") => message.faults.push(show()),
            (Some(message), _) => message.fields.push((name, show())),
        }
    }
    messages
}

/// The value of an attribute of the element on this line.
fn attribute(line: &str, name: &str) -> Option<String> {
    let (_, rest) = line.split_once(&format!(" {name}=\""))?;
    let (value, _) = rest.split_once('"')?;
    let value = value.replace("&lt;", "<").replace("&gt;", ">");
    Some(value.replace("&quot;", "\"").replace("&amp;", "&"))
}
