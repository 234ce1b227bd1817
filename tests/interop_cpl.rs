//! What a VCS gets as CPL, read by a program that nobody here wrote: Kamailio's `cplc`, which takes RFC 3880's language
//! apart and compiles it. Of the words of a VCS it knows all but the two that are Cisco's own (`taa:routed`,
//! `taa:location`); those become the `incoming` and `location` of the RFC first, and aliases become URIs. No program that
//! knows `taa:` is to be had: the VCS itself is the only one.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    reason = "helpers of a test: a failure to prepare is a failure of the test"
)]

mod interop;
mod policy_world;

use interop::process::Process;
use interop::stage::Stage;
use interop::{installed, ports, skip};
use policy_world::{Door, Node, PATIENCE, post};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// The grammar that `cplc` asks for; the one of its authors is in no package. RFC 3880's, as far as a VCS shares it.
const GRAMMAR: &str = r#"<!ELEMENT cpl (incoming?)>
<!ATTLIST cpl xmlns CDATA #IMPLIED>
<!ENTITY % Node "(location | proxy | reject)?">
<!ELEMENT incoming %Node;>
<!ELEMENT location %Node;>
<!ATTLIST location url CDATA #REQUIRED priority CDATA #IMPLIED clear (yes | no) "no">
<!ELEMENT proxy (busy?, noanswer?, redirection?, failure?, default?)>
<!ATTLIST proxy timeout CDATA #IMPLIED recurse (yes | no) "yes" ordering CDATA "parallel">
<!ELEMENT busy %Node;>
<!ELEMENT noanswer %Node;>
<!ELEMENT redirection %Node;>
<!ELEMENT failure %Node;>
<!ELEMENT default %Node;>
<!ELEMENT reject EMPTY>
<!ATTLIST reject status CDATA #REQUIRED reason CDATA #IMPLIED>
"#;

fn modules() -> Option<PathBuf> {
    let folders = [
        "/usr/lib/x86_64-linux-gnu/kamailio/modules",
        "/usr/lib/aarch64-linux-gnu/kamailio/modules",
        "/usr/lib64/kamailio/modules",
        "/usr/lib/kamailio/modules",
    ];
    let mut folders = folders.iter().map(Path::new);
    let has_both = |folder: &&Path| {
        ["cplc.so", "db_text.so"]
            .iter()
            .all(|module| folder.join(module).is_file())
    };
    folders.find(has_both).map(Path::to_owned)
}

/// Kamailio with nothing but its reader of CPL.
struct Reader {
    socket: PathBuf,
    process: Process,
}

impl Reader {
    fn start(stage: &Stage, modules: &Path) -> Self {
        let base = stage.file("cpl");
        fs::create_dir_all(&base).unwrap();
        fs::write(base.join("cpl.dtd"), GRAMMAR).unwrap();
        fs::write(
            base.join("cpl"),
            "id(int,auto) username(string) domain(string,null) cpl_xml(string,null) cpl_bin(string,null) \n",
        )
        .unwrap();
        fs::write(
            base.join("version"),
            "table_name(string) table_version(int) \ncpl:1\n",
        )
        .unwrap();
        let (port, folder) = (ports::free(1), base.display());
        let config = format!(
            "log_stderror=yes\nchildren=1\nlisten=udp:127.0.0.1:{port}\nmpath=\"{}/\"\n\
             loadmodule \"db_text.so\"\nloadmodule \"sl.so\"\nloadmodule \"tm.so\"\n\
             loadmodule \"ctl.so\"\nloadmodule \"cplc.so\"\n\
             modparam(\"ctl\", \"binrpc\", \"unix:{folder}/control\")\n\
             modparam(\"cplc\", \"db_url\", \"text://{folder}\")\n\
             modparam(\"cplc\", \"cpl_dtd_file\", \"{folder}/cpl.dtd\")\nrequest_route {{ exit; }}\n",
            modules.display(),
        );
        let file = base.join("kamailio.cfg");
        fs::write(&file, config).unwrap();
        let mut command = stage.command("kamailio");
        command.arg("-f").arg(&file).args(["-DD", "-E", "-w"]);
        command.arg(&base);
        let reader = Self {
            socket: base.join("control"),
            process: Process::start("kamailio", command),
        };
        let until = Instant::now() + PATIENCE;
        while !reader.ask(&["core.version"]).contains("kamailio") {
            assert!(Instant::now() < until, "{}", reader.process.last_words());
            thread::sleep(Duration::from_millis(50));
        }
        reader
    }

    fn ask(&self, words: &[&str]) -> String {
        let output = Command::new("kamcmd")
            .arg("-s")
            .arg(format!("unix:{}", self.socket.display()))
            .args(words)
            .output()
            .unwrap();
        format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )
    }

    /// What it says of a script.
    fn read(&self, stage: &Stage, name: &str, script: &str) -> String {
        let file = stage.file(&format!("{name}.cpl"));
        fs::write(&file, script).unwrap();
        let user = format!("sip:{name}@example.com");
        self.ask(&["cpl.load", &user, file.to_str().unwrap()])
    }
}

/// The document of an answer, in the words of RFC 3880.
fn script(door: Door, body: &str) -> String {
    let answer = door.say(post(body, "Connection: close\r\n").as_bytes());
    let (_, document) = answer.split_once("\r\n\r\n").unwrap();
    let (_, nodes) = document.split_once("<taa:routed>").unwrap();
    let (nodes, _) = nodes.split_once("</taa:routed>").unwrap();
    let nodes = nodes
        .replace("taa:location", "location")
        .replace("url=\"", "url=\"sip:");
    format!("<cpl xmlns=\"urn:ietf:params:xml:ns:cpl\"><incoming>{nodes}</incoming></cpl>")
}

#[test]
fn kamailio_reads_every_kind_of_answer() {
    if !installed(&["kamailio", "kamcmd"]) {
        return;
    }
    let Some(modules) = modules() else {
        return skip("Kamailio's cplc and db_text (Debian: kamailio-cpl-modules) absent");
    };
    let node = Node::start("policy-cpl", |config, _| {
        config.replace("name = \"meet\"\n", "name = \"meet\"\nfallback = true\n")
    });
    let reader = Reader::start(&node.stage, &modules);
    for (name, body, wanted) in [
        ("allow", "ADMIN&DESTINATION_ALIAS=x", "<proxy/>"),
        (
            "reject",
            "SEARCH&DESTINATION_ALIAS=nobody",
            "<reject status=\"404\"",
        ),
        (
            "place",
            "SEARCH&DESTINATION_ALIAS=7123",
            "clear=\"yes\" url=\"sip:6002",
        ),
        (
            "fallback",
            "SEARCH&DESTINATION_ALIAS=meet.a@example.com",
            "<failure>",
        ),
        (
            "fork",
            "USER&DESTINATION_ALIAS=findme.alice@example.com",
            "<location url=",
        ),
    ] {
        let script = script(node.door, &format!("POLICY_TYPE={body}"));
        assert!(script.contains(wanted), "{script}");
        let said = reader.read(&node.stage, name, &script);
        assert!(said.contains("CPL Enabled"), "{name}: {said}{script}");
        let user = format!("sip:{name}@example.com");
        assert!(
            reader.ask(&["cpl.get", &user]).contains(wanted),
            "{name} is kept"
        );
        // It does read: the same with a word that is none, or a URL that is none, is refused.
        let bad = script.replacen("<incoming><", "<incoming><x", 1);
        let said = reader.read(&node.stage, "bad", &bad);
        assert!(said.contains("error"), "{bad}: {said}");
    }
    node.ends();
}
