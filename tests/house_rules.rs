//! The rules of the house that neither Cargo nor clippy holds by itself (`ARCHITECTURE.md`).
//!
//! Each rule is a function from what it looks at to the list of offences. Each test first shows its
//! rule a small bad sample, so that the rule is known to be able to fail, and then the project.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of a test: a failure to prepare is a failure of the test"
)]

#[path = "house_rules/source.rs"]
mod source;

use source::Source;
use std::fs;
use std::path::Path;
use std::process::Command;
use toml::de::{DeTable, DeValue};

/// The crates that do no I/O.
const CORES: [&str; 4] = ["balancer", "cluster", "policy", "signaling"];

/// The project's own crates, and which of them each core may use.
const OURS: [&str; 8] = [
    "balancer",
    "baton",
    "bench",
    "cluster",
    "loadtest",
    "policy",
    "signaling",
    "sim",
];
const FLOORS: [(&str, &[&str]); 4] = [
    ("balancer", &[]),
    ("cluster", &["balancer"]),
    ("policy", &["balancer"]),
    ("signaling", &[]),
];

/// Run times, sockets and system calls: no core has them, at whatever depth.
const RUNTIMES: [&str; 15] = [
    "async-std",
    "futures-executor",
    "hyper",
    "libc",
    "mimalloc",
    "mio",
    "nix",
    "parking_lot",
    "parking_lot_core",
    "quinn",
    "rustix",
    "rustls",
    "smol",
    "socket2",
    "tokio",
];

/// The one crate of a core that may call the system, and all that it may bring with it: its locks put a thread
/// to sleep where another one is faster (decision 16). No other crate of a core may bring any of them that is in
/// [`RUNTIMES`].
const LOCKED_MAP: &str = "dashmap";
const LOCKED_MAP_BRINGS: [&str; 10] = [
    "cfg-if",
    "crossbeam-utils",
    "dashmap",
    "hashbrown",
    "libc",
    "lock_api",
    "once_cell",
    "parking_lot_core",
    "scopeguard",
    "smallvec",
];

/// Crates to compare with (docs/decisions): never in the shipped program.
const COMPARED: [&str; 5] = ["aws-lc-rs", "aws-lc-sys", "rasn", "rsip", "rsipstack"];

/// What a core and `src/node` are given as arguments instead.
const OUTSIDE: [&str; 15] = [
    "::now",
    ".elapsed()",
    "thread::spawn",
    "thread::sleep",
    "env::var",
    "env::var_os",
    "tokio",
    "UdpSocket",
    "TcpStream",
    "TcpListener",
    "File",
    "fs::",
    "Mutex",
    "RwLock",
    "RandomState",
];

/// The least that the `clippy.toml` of a core forbids.
const CLIPPY_METHODS: [&str; 9] = [
    "std::time::Instant::now",
    "std::time::Instant::elapsed",
    "std::time::SystemTime::now",
    "std::thread::spawn",
    "std::thread::sleep",
    "std::env::var",
    "std::collections::HashMap::iter",
    "std::collections::HashMap::keys",
    "std::collections::HashMap::values",
];
const CLIPPY_TYPES: [&str; 7] = [
    "std::net::UdpSocket",
    "std::net::TcpStream",
    "std::net::TcpListener",
    "std::fs::File",
    "std::sync::Mutex",
    "std::sync::RwLock",
    "std::collections::hash_map::RandomState",
];

/// The longest file, tests not counted.
const LINES_MAX: usize = 600;

#[test]
fn cores_have_no_runtime() {
    let sample = "signaling v0.1.0 (/x)\nbytes v1.12.1\ntokio v1.54.1\nmio v1.2.0 (*)\n";
    assert_eq!(listed(sample, &RUNTIMES), ["mio", "tokio"]);
    for core in CORES {
        let offences = listed(&tree_without(core, LOCKED_MAP), &RUNTIMES);
        assert!(
            offences.is_empty(),
            "{core} is a core and depends on {offences:?}"
        );
    }
}

#[test]
fn the_locked_map_brings_no_more_than_its_lock() {
    let sample = "dashmap v6.2.1\nlibc v0.2.1\nmio v1.2.0 (*)\nserde v1.0.0\n";
    assert_eq!(
        not_listed(sample, &LOCKED_MAP_BRINGS),
        ["mio", "serde"].map(str::to_owned)
    );
    let others = tree_without("balancer", LOCKED_MAP);
    let brought = tree("balancer");
    let brought = brought
        .lines()
        .filter(|line| !others.lines().any(|other| other == *line));
    let brought: Vec<&str> = brought.collect();
    let offences = not_listed(&brought.join("\n"), &LOCKED_MAP_BRINGS);
    assert!(offences.is_empty(), "{LOCKED_MAP} brings {offences:?}");
    // Only the ground has it: a core above asks the ground.
    for core in CORES.into_iter().filter(|core| *core != "balancer") {
        let direct = read(&format!("{core}/Cargo.toml"));
        assert!(
            !direct.contains(LOCKED_MAP),
            "{core} has a {LOCKED_MAP} of its own"
        );
    }
}

#[test]
fn floors_hold() {
    let sample = "policy v0.1.0 (/x)\nbalancer v0.1.0 (/y)\nsignaling v0.1.0 (/z)\n";
    assert_eq!(
        floors_broken("policy", sample, &["balancer"]),
        ["signaling"]
    );
    assert_eq!(
        floors_broken("policy", sample, &[]),
        ["balancer", "signaling"]
    );
    for (core, allowed) in FLOORS {
        let offences = floors_broken(core, &tree(core), allowed);
        assert!(
            offences.is_empty(),
            "{core} stands on {offences:?}, allowed: {allowed:?}"
        );
    }
}

#[test]
fn crates_to_compare_with_are_not_shipped() {
    assert_eq!(
        listed("baton v0.1.0 (/x)\nrsip v0.4.0\n", &COMPARED),
        ["rsip"]
    );
    let offences = listed(&tree("baton"), &COMPARED);
    assert!(
        offences.is_empty(),
        "the program is built with {offences:?}"
    );
}

#[test]
fn dependencies_name_their_features() {
    let sample = "[workspace.dependencies]\na = \"1\"\nb = { version = \"1\" }\n\
                  c = { version = \"1\", default-features = false }\nd = { path = \"d\" }\n";
    assert_eq!(features_unnamed(sample), ["a", "b"]);
    let offences = features_unnamed(&read("Cargo.toml"));
    assert!(
        offences.is_empty(),
        "write `default-features = false` for {offences:?}"
    );
}

#[test]
fn cores_and_node_reach_for_nothing_outside() {
    let bad = "//! A\nuse std::time::Instant;\nfn f() { let a = Instant::now(); }\n\
               fn g() { /* Instant::now */ let now = \"tokio\"; }\nuse std::sync::{Arc, Mutex};\n\
               #[cfg(test)]\nmod tests { use std::fs::File; }\n";
    assert_eq!(
        outside(&Source::sample("src/node/a.rs", bad)),
        ["src/node/a.rs:3: `::now`", "src/node/a.rs:5: `Mutex`"]
    );
    assert!(outside(&Source::sample("src/shell/a.rs", bad)).is_empty());
    assert!(!outside(&Source::sample("signaling/src/a.rs", "use tokio::net;")).is_empty());
    none(sources().iter().flat_map(outside));
}

#[test]
fn files_stay_short() {
    let long = "x\n".repeat(LINES_MAX);
    assert_eq!(too_long(&Source::sample("a.rs", &long)), None);
    let longer = format!("{long}x\n");
    assert!(too_long(&Source::sample("a.rs", &longer)).is_some());
    let tests = format!("{long}#[cfg(test)]\nmod tests {{\n    x\n}}\n");
    assert_eq!(too_long(&Source::sample("a.rs", &tests)), None);
    assert_eq!(too_long(&Source::sample("a/tests.rs", &longer)), None);
    none(sources().iter().filter_map(too_long));
}

#[test]
fn files_say_what_they_are() {
    assert_eq!(headless(&Source::sample("a.rs", "//! A.\nuse b;\n")), None);
    assert!(headless(&Source::sample("a.rs", "// A.\nuse b;\n")).is_some());
    assert!(headless(&Source::sample("a.rs", "//!\nuse b;\n")).is_some());
    assert!(headless(&Source::sample("a.rs", "")).is_some());
    none(sources().iter().filter_map(headless));
}

#[test]
fn ignored_tests_say_why() {
    let sample = "#[test]\n#[ignore]\nfn a() {}\n#[ignore = \"needs a VCS\"]\nfn b() {}\n\
                  #[ignore = \"\"]\nfn c() {}\n#[cfg_attr(miri, ignore)]\nfn d() {}\n\
                  // #[ignore]\n#[expect(clippy::ignored_unit_patterns)]\nfn ignore() {}\n";
    assert_eq!(
        ignored(&Source::sample("a.rs", sample)),
        ["a.rs:2", "a.rs:6", "a.rs:8"]
    );
    none(sources().iter().flat_map(ignored));
}

#[test]
fn cores_forbid_unsafe_code() {
    assert!(forbids_unsafe("//! A.\n#![forbid(unsafe_code)]\n"));
    assert!(!forbids_unsafe(
        "//! A.\n// #![forbid(unsafe_code)]\n#![deny(unsafe_code)]\n"
    ));
    for core in CORES {
        let path = format!("{core}/src/lib.rs");
        assert!(
            forbids_unsafe(&read(&path)),
            "{path} lacks `#![forbid(unsafe_code)]`"
        );
    }
}

#[test]
fn cores_have_the_clippy_rules() {
    let sample = "disallowed-methods = [\"std::env::var\"]\n\
                  disallowed-types = [{ path = \"std::sync::Mutex\", reason = \"x\" }]\n";
    let missing = clippy_missing(sample);
    assert_eq!(
        missing.len(),
        CLIPPY_METHODS.len() + CLIPPY_TYPES.len() - 1 - 1
    );
    assert!(!missing.contains(&"std::sync::Mutex") && missing.contains(&"std::fs::File"));
    for core in CORES {
        let missing = clippy_missing(&read(&format!("{core}/clippy.toml")));
        assert!(
            missing.is_empty(),
            "{core}/clippy.toml does not forbid {missing:?}"
        );
    }
}

#[test]
fn documents_link_to_what_is_there() {
    let sample = "[a](Cargo.toml) [b](no.md#x) [c](https://example.com) [d](#here)\n[e](src/)\n";
    assert_eq!(broken_links("sample.md", sample), ["sample.md: no.md#x"]);
    assert_eq!(
        broken_links("docs/sample.md", "[a](../Cargo.toml)"),
        Vec::<String>::new()
    );
    let documents = files("md");
    assert!(
        documents
            .iter()
            .any(|document| document.path == "README.md")
    );
    none(
        documents
            .iter()
            .flat_map(|document| broken_links(&document.path, &document.text)),
    );
}

/// Which of `names` a dependency tree holds.
fn listed(tree: &str, names: &[&'static str]) -> Vec<&'static str> {
    let holds = |name: &str| {
        tree.lines()
            .any(|line| line.split(' ').next() == Some(name))
    };
    names.iter().copied().filter(|name| holds(name)).collect()
}

/// Which crates of a dependency tree are not in `names`.
fn not_listed(tree: &str, names: &[&str]) -> Vec<String> {
    let crates = tree.lines().filter_map(|line| line.split(' ').next());
    let mut others: Vec<String> = crates
        .filter(|name| !names.contains(name))
        .map(str::to_owned)
        .collect();
    others.sort();
    others.dedup();
    others
}

/// Which crates of ours a core uses and may not.
fn floors_broken(core: &str, tree: &str, allowed: &[&str]) -> Vec<&'static str> {
    let mut broken = listed(tree, &OURS);
    broken.retain(|name| *name != core && !allowed.contains(name));
    broken
}

/// Which dependencies of a workspace come with whatever features their authors chose.
fn features_unnamed(manifest: &str) -> Vec<String> {
    let manifest = table(manifest);
    let dependencies = manifest
        .get("workspace")
        .and_then(|value| value.get_ref().get("dependencies"));
    let dependencies = dependencies.and_then(|value| value.get_ref().as_table());
    let named = |value: &DeValue<'_>| {
        value.get("path").is_some()
            || value
                .get("default-features")
                .and_then(|on| on.get_ref().as_bool())
                == Some(false)
    };
    dependencies
        .expect("a workspace names its dependencies")
        .iter()
        .filter(|(_, value)| !named(value.get_ref()))
        .map(|(name, _)| name.get_ref().to_string())
        .collect()
}

/// Where a core or `src/node` reaches for a clock, a thread, a socket, a file or a lock.
fn outside(source: &Source) -> Vec<String> {
    let inner = |core: &&str| source.path.starts_with(&format!("{core}/src/"));
    if !source.path.starts_with("src/node/") && !CORES.iter().any(inner) {
        return Vec::new();
    }
    let mut offences = Vec::new();
    for (number, line) in source.shipped_lines() {
        let found = OUTSIDE.iter().filter(|word| has_word(&line, word));
        offences.extend(found.map(|word| format!("{}:{number}: `{word}`", source.path)));
    }
    offences
}

/// A file with too many lines.
fn too_long(source: &Source) -> Option<String> {
    let lines = source.shipped_lines().len();
    (lines > LINES_MAX).then(|| format!("{}: {lines} lines, at most {LINES_MAX}", source.path))
}

/// A file that does not begin by saying what it is.
fn headless(source: &Source) -> Option<String> {
    let head = source
        .text
        .lines()
        .next()
        .and_then(|line| line.strip_prefix("//! "));
    let says = head.is_some_and(|head| !head.trim().is_empty());
    (!says).then(|| format!("{}: does not begin with `//! `", source.path))
}

/// Tests that are left out without a reason.
fn ignored(source: &Source) -> Vec<String> {
    let code = source.code();
    let attributes = code
        .lines()
        .enumerate()
        .filter(|(_, line)| line.trim_start().starts_with("#["));
    attributes
        .filter(|(_, line)| {
            let mut rest = *line;
            while let Some((before, after)) = rest.split_once("ignore") {
                let whole = !before.ends_with(is_word) && !after.starts_with(is_word);
                let reason = after.trim_start().strip_prefix('=').map(str::trim_start);
                if whole && !reason.is_some_and(|reason| reason.starts_with("\"_")) {
                    return true;
                }
                rest = after;
            }
            false
        })
        .map(|(index, _)| format!("{}:{}", source.path, index + 1))
        .collect()
}

/// Whether a crate refuses `unsafe` once and for all.
fn forbids_unsafe(text: &str) -> bool {
    Source::sample("lib.rs", text)
        .code()
        .contains("#![forbid(unsafe_code)]")
}

/// Links of a document to files that do not exist.
fn broken_links(path: &str, text: &str) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = root.join(path).parent().map(Path::to_owned).unwrap();
    let targets = text
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next());
    let broken = |target: &&str| {
        let file = target.split('#').next().unwrap_or_default();
        !file.is_empty() && !file.contains("://") && !folder.join(file).exists()
    };
    targets
        .filter(broken)
        .map(|target| format!("{path}: {target}"))
        .collect()
}

/// What the `clippy.toml` of a core should forbid and does not.
fn clippy_missing(text: &str) -> Vec<&'static str> {
    let table = table(text);
    let paths = |key: &str| -> Vec<String> {
        let entries = table.get(key).and_then(|value| value.get_ref().as_array());
        let entries = entries.map_or_else(Vec::new, |entries| entries.iter().collect());
        let path = |entry: &DeValue<'_>| {
            let path = entry.get("path").and_then(|path| path.get_ref().as_str());
            path.or_else(|| entry.as_str()).map(str::to_owned)
        };
        entries
            .iter()
            .filter_map(|entry| path(entry.get_ref()))
            .collect()
    };
    let (methods, types) = (paths("disallowed-methods"), paths("disallowed-types"));
    let methods = CLIPPY_METHODS
        .iter()
        .filter(|path| !methods.iter().any(|found| found == *path));
    let types = CLIPPY_TYPES
        .iter()
        .filter(|path| !types.iter().any(|found| found == *path));
    methods.chain(types).copied().collect()
}

/// Whether a line of code holds a word, not as a part of a longer one.
fn has_word(line: &str, word: &str) -> bool {
    let bounded = |before: &str, after: &str| {
        let longer_before = word.starts_with(is_word) && before.ends_with(is_word);
        let longer_after = word.ends_with(is_word) && after.starts_with(is_word);
        !longer_before && !longer_after
    };
    line.match_indices(word).any(|(at, _)| {
        let (before, rest) = line.split_at(at);
        bounded(before, rest.split_at(word.len()).1)
    })
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn none(offences: impl Iterator<Item = String>) {
    let offences: Vec<String> = offences.collect();
    assert!(offences.is_empty(), "{offences:#?}");
}

fn table(text: &str) -> DeTable<'_> {
    DeTable::parse(text).unwrap().into_inner()
}

/// The names and versions of a package and of all it is built with, one a line.
fn tree(package: &str) -> String {
    cargo_tree(package, &["--all-features"])
}

/// The same of a package of ours, without one crate and what only that one brings.
fn tree_without(package: &str, left_out: &str) -> String {
    let whole = tree(package);
    if whole
        .lines()
        .any(|line| line.split(' ').next() == Some(left_out))
    {
        cargo_tree(package, &["--all-features", "--prune", left_out])
    } else {
        whole
    }
}

fn cargo_tree(package: &str, more: &[&str]) -> String {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["tree", "--offline", "--locked", "--package", package])
        .args(["--edges", "normal", "--prefix", "none", "--format", "{p}"])
        .args(more)
        .output()
        .unwrap();
    let (tree, complaint) = (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(
        output.status.success(),
        "cargo tree --package {package}: {complaint}"
    );
    assert!(
        tree.starts_with(&format!("{package} v")),
        "not a tree of {package}: {tree}"
    );
    tree
}

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path))
        .unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every Rust file of the project.
fn sources() -> Vec<Source> {
    let sources = files("rs");
    assert!(
        sources.iter().any(|source| source.path == "src/main.rs"),
        "the wrong folder was read"
    );
    sources
}

/// Every file of the project whose name ends so, sorted by path.
fn files(extension: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.to_owned()];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            let (path, kind) = (entry.path(), entry.file_type().unwrap());
            let name = entry.file_name().to_string_lossy().into_owned();
            if kind.is_dir() && name != "target" && !name.starts_with('.') {
                folders.push(path);
            } else if kind.is_file() && path.extension().is_some_and(|end| end == extension) {
                let relative = path
                    .strip_prefix(root)
                    .unwrap()
                    .to_string_lossy()
                    .replace('\\', "/");
                sources.push(Source {
                    text: fs::read_to_string(&path).unwrap(),
                    path: relative,
                });
            }
        }
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}
