//! The command line from outside: exit codes and texts of the real program.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of a test: a failure to prepare is a failure of the test"
)]

use std::fs::{self, OpenOptions};
use std::path::PathBuf;
use std::process::{Command, Stdio};

#[test]
fn check_of_a_good_file_says_so_in_one_line() {
    let answer = baton(&["check", "configs/lab-trunk.toml"]);
    assert_eq!(answer.code, 0, "{answer:?}");
    assert_eq!(
        answer.out,
        "configs/lab-trunk.toml: good: 2 listeners, 1 peer, 1000000 sessions\n"
    );
    assert_eq!(answer.err, "");
}

#[test]
fn every_shipped_configuration_is_good() {
    let folder = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/configs")).unwrap();
    let files: Vec<PathBuf> = folder
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .collect();
    assert!(files.len() >= 2, "{files:?}");
    for file in files {
        let answer = baton(&["check", file.to_str().unwrap()]);
        assert_eq!(answer.code, 0, "{answer:?}");
    }
}

#[test]
fn the_configurations_of_the_readme_are_good() {
    let readme = include_str!("../README.md");
    let samples: Vec<&str> = readme
        .split("```toml\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    assert!(!samples.is_empty());
    for (index, sample) in samples.iter().enumerate() {
        let file = Scratch::new(&format!("readme-{index}.toml"), sample);
        let answer = baton(&["check", file.name()]);
        assert_eq!(answer.code, 0, "{answer:?}");
    }
}

#[test]
fn bandwidth_check_tells_way_limits_and_the_tightest() {
    let config = "configs/baton.toml";
    let check = |more: &[&str]| {
        let command = ["bandwidth", "check", "--config", config];
        baton(&[&command, more].concat())
    };
    // By the address of somebody in the office, by name.
    let answer = check(&["192.0.2.7", "DefaultZone", "3000"]);
    assert_eq!(answer.code, 0, "{answer:?}");
    let lines: Vec<&str> = answer.out.lines().collect();
    let expected = [
        "from office to DefaultZone, 3000 kbit/s",
        "links: office-wan, DefaultSubzone - DefaultZone",
    ];
    assert_eq!(lines.get(..2), Some(&expected[..]), "{answer:?}");
    let last = ["tightest: wan", "admitted: 2000 kbit/s, cut down from 3000"];
    assert_eq!(lines.get(lines.len() - 2..), Some(&last[..]), "{answer:?}");
    let json = check(&["office", "office", "--traversal", "--output", "json"]);
    assert!(json.out.contains("\"kbps\":384"), "{json:?}");
    assert!(json.out.contains("\"times\":2"), "{json:?}");
    // Nobody's name, and a configuration without the table.
    assert_eq!(check(&["nowhere", "office"]).code, 4);
    let without = [
        "bandwidth",
        "check",
        "a",
        "b",
        "--config",
        "configs/lab-trunk.toml",
    ];
    let answer = baton(&without);
    assert_eq!((answer.code, answer.out.as_str()), (1, ""), "{answer:?}");
}

#[test]
fn bandwidth_that_no_limit_allows_is_refused() {
    let text = "[sip]\nlisten = [\"udp:127.0.0.1:5060\"]\n[[peer]]\nname = \"a\"\n\
                at = \"udp:127.0.0.1:5180\"\nsessions_max = 1\n[bandwidth]\n\
                premade_links = false\n[[bandwidth.subzone]]\nname = \"s\"\nintra = \"none\"\n";
    let file = Scratch::new("bandwidth.toml", text);
    let check = |to| baton(&["bandwidth", "check", "s", to, "--config", file.name()]);
    let closed = check("s");
    assert_eq!(closed.code, 1, "{closed:?}");
    assert!(
        closed.out.contains("refused: a limit of bandwidth"),
        "{closed:?}"
    );
    let apart = check("DefaultSubzone");
    assert_eq!(apart.code, 1, "{apart:?}");
    assert!(
        apart.out.contains("refused: no links lead there"),
        "{apart:?}"
    );
}

#[test]
fn check_tells_every_mistake_with_its_place() {
    let file = Scratch::new(
        "mistakes.toml",
        "[sip]\nlisen = [\"udp:127.0.0.1:5060\"]\n\n[[peer]]\nname = \"a\"\n\
         at = \"udp:127.0.0.1\"\nsessions_max = -1\n",
    );
    let answer = baton(&["check", file.name()]);
    assert_eq!(answer.code, 1, "{answer:?}");
    let expected = [
        "1:1: there is no listener; write `listen = [\"udp:127.0.0.1:5060\"]` under `[sip]`",
        "2:1: unknown key `lisen`; did you mean `listen`?",
        "6:6: `127.0.0.1` has no port; write `udp:127.0.0.1:5060`",
        "7:16: `sessions_max` is -1; it takes a whole number from 0 to 1000000000, such as \
         `sessions_max = 100`",
    ];
    let mut lines: Vec<String> = expected
        .iter()
        .map(|line| format!("{}:{line}", file.name()))
        .collect();
    lines.push(format!("{}: 4 mistakes", file.name()));
    assert_eq!(answer.out.lines().collect::<Vec<_>>(), lines);
    assert_eq!(answer.err, "");
}

#[test]
fn a_file_that_is_no_text_is_a_mistake_with_a_place() {
    let file = Scratch::new("latin-1.toml", b"# one\n# caf\xe9\n");
    let answer = baton(&["check", file.name()]);
    assert_eq!(answer.code, 1, "{answer:?}");
    let expected = format!(
        "{}:2:6: not UTF-8 text; save the file as UTF-8\n",
        file.name()
    );
    assert!(answer.out.starts_with(&expected), "{answer:?}");
}

#[test]
fn a_file_that_cannot_be_read_is_another_exit_code() {
    let large = Scratch::new("large.toml", vec![b'#'; 1024 * 1024 + 1]);
    for (file, why) in [
        ("no/such/file.toml", "No such file"),
        ("configs", "directory"),
        (large.name(), "larger than 1 MiB"),
    ] {
        for arguments in [vec!["check", file], vec!["run", "--config", file]] {
            let answer = baton(&arguments);
            assert_eq!(answer.code, 2, "{answer:?}");
            assert!(
                answer.err.starts_with(&format!("baton: {file}: ")),
                "{answer:?}"
            );
            assert!(answer.err.contains(why), "{answer:?}");
            assert_eq!(answer.out, "");
        }
    }
}

#[test]
fn run_does_not_start_with_mistakes() {
    let file = Scratch::new("run.toml", "[log]\nlevel = \"loud\"\n");
    let answer = baton(&["run", "--config", file.name()]);
    assert_eq!(answer.code, 1, "{answer:?}");
    let expected = format!(
        "{}:2:9: `level` cannot be `loud`; write `error`",
        file.name()
    );
    assert!(answer.err.contains(&expected), "{answer:?}");
}

#[test]
fn a_wrong_command_line_is_exit_2_with_a_hint() {
    for (arguments, hint) in [
        (&[][..], "Usage: baton"),
        (&["chekc", "x.toml"], "'check'"),
        (&["check"], "<FILE>"),
        (&["check", "a.toml", "b.toml"], "'b.toml'"),
        (&["run"], "--config <FILE>"),
        (&["run", "--confg", "x.toml"], "'--config'"),
        (&["demo", "--seconds", "many"], "--seconds <N>"),
        (&["demo", "--calls-per-second", "0"], "1..=10000"),
    ] {
        let answer = baton(arguments);
        assert_eq!(answer.code, 2, "{answer:?}");
        assert!(answer.err.contains(hint), "{hint}: {answer:?}");
        assert_eq!(answer.out, "", "{arguments:?}");
    }
}

#[test]
fn version_and_help_are_answers() {
    let version = baton(&["--version"]);
    assert_eq!(
        (version.code, version.out.as_str()),
        (0, concat!("baton ", env!("CARGO_PKG_VERSION"), "\n"))
    );
    let help = baton(&["--help"]);
    assert_eq!(help.code, 0);
    for command in ["run", "check", "demo"] {
        assert!(help.out.contains(&format!("\n  {command} ")), "{help:?}");
    }
}

/// A pipe whose reader went away, or a full disk: a failure, not a panic.
#[cfg(target_os = "linux")]
#[test]
fn an_answer_that_nobody_takes_is_a_failure() {
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_baton"))
        .args([
            "check",
            concat!(env!("CARGO_MANIFEST_DIR"), "/configs/lab-trunk.toml"),
        ])
        .stdout(full)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

#[derive(Debug)]
struct Answer {
    code: i32,
    out: String,
    err: String,
}

fn baton(arguments: &[&str]) -> Answer {
    let output = Command::new(env!("CARGO_BIN_EXE_baton"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Answer {
        code: output.status.code().expect("the program was not killed"),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A file in the build's own folder for tests, gone afterwards. Each test names its own.
struct Scratch {
    path: PathBuf,
}

impl Scratch {
    fn new(name: &str, content: impl AsRef<[u8]>) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::write(&path, content).unwrap();
        Self { path }
    }

    fn name(&self) -> &str {
        self.path.to_str().unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            assert!(std::thread::panicking(), "{}: {error}", self.path.display());
        }
    }
}
