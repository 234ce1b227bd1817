//! A name server of somebody else's (dnsmasq) with records of the test's own, on a port of its own.

use super::find;
use super::ports;
use super::process::Process;
use super::stage::Stage;
use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

/// A name server that answers for the domain `test`, or is down.
pub(crate) struct NameServer<'s> {
    stage: &'s Stage,
    port: u16,
    process: Option<Process>,
}

impl<'s> NameServer<'s> {
    /// One that has these records, each as dnsmasq's configuration writes it.
    pub(crate) fn start(stage: &'s Stage, records: &str) -> Self {
        let mut server = Self::down(stage);
        server.serve(records);
        server
    }

    /// One that does not run yet.
    pub(crate) fn down(stage: &'s Stage) -> Self {
        Self {
            stage,
            port: ports::free(1),
            process: None,
        }
    }

    /// Where it is asked.
    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// Serves these records from now on, at the same address as before.
    pub(crate) fn serve(&mut self, records: &str) {
        self.stop();
        let file = self.stage.file("dnsmasq.conf");
        let port = self.port;
        let config = format!(
            "port={port}\nlisten-address=127.0.0.1\nbind-interfaces\nno-resolv\nno-hosts\n\
             local=/test/\nlocal-ttl=1\nlog-queries\nlog-facility=-\npid-file\n{records}\n"
        );
        fs::write(&file, config).unwrap();
        let mut argument = OsString::from("--conf-file=");
        argument.push(&file);
        let mut command = self
            .stage
            .command(find("dnsmasq").unwrap().to_str().unwrap());
        command.arg("--keep-in-foreground").arg(argument);
        let mut process = Process::start("dnsmasq", command);
        process.wait_for("started, version", PATIENCE);
        self.process = Some(process);
    }

    /// Nobody answers any more.
    pub(crate) fn stop(&mut self) {
        self.process = None;
    }
}
