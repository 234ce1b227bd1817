//! The policy service over HTTP, as other people's programs see it: the conformance cases with curl.
#![cfg(target_os = "linux")]

mod interop;
mod policy_world;

use interop::installed;
use policy_world::Node;
use std::path::Path;
use std::process::Command;

#[test]
fn every_conformance_case_passes() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/policy-cases/cases.sh");
    if !cases.is_file() {
        // They lie beside the project, not in it.
        #[expect(clippy::print_stdout, reason = "a skipped test must be seen")]
        {
            println!("skipped: policy-cases absent");
        }
        return;
    }
    if !installed(&["bash", "curl", "python3"]) {
        return;
    }
    let node = Node::start("policy-cases", |config, _| config);
    let output = Command::new("bash")
        .arg(&cases)
        .env("BASE", format!("http://{}", node.door.0))
        .env("CTL", &node.control)
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{words}");
    assert!(words.contains("53 passed, 0 failed"), "{words}");
    node.ends();
}
