//! Our RAS messages, read by Wireshark's dissectors: none is malformed, and what they find in each is
//! what was meant.
//!
//! The messages go into a capture file that the test writes, each as one UDP datagram to port 1719.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    reason = "helpers of a test: a failure to prepare is a failure of the test"
)]

mod interop;
#[path = "../signaling/tests/support/ras.rs"]
mod ras;

use interop::{installed, stage::Stage};
use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
fn tshark_reads_what_we_meant() {
    if !installed(&["tshark"]) {
        return;
    }
    let stage = Stage::calm("ras");
    let file = stage.file("ras.pcap");
    let samples = ras::samples();
    let mut capture = begin_of_capture();
    for (name, message, _) in &samples {
        let mut buffer = [0; 2048];
        let length = message
            .encode(&mut buffer)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        capture.extend(packet(&buffer[..length]));
    }
    fs::write(&file, capture).unwrap();
    let packets = dissected(&file);
    assert_eq!(packets.len(), samples.len());
    let mut wrong = Vec::new();
    for ((name, _, expected), fields) in samples.iter().zip(&packets) {
        let is_fault = |key: &str| key.starts_with("_ws.malformed") || key == "_ws.expert.message";
        let faults = fields.iter().filter(|(key, _)| is_fault(key));
        wrong.extend(faults.map(|(_, fault)| format!("{name}: {fault}")));
        for (key, value) in *expected {
            let values: Vec<&str> = fields
                .iter()
                .filter(|(found, _)| found == key)
                .map(|(_, value)| value.as_str())
                .collect();
            if !values.contains(value) {
                wrong.push(format!("{name}: {key} is {values:?}, not {value}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What the test stands on can see a fault.
#[test]
fn a_message_cut_short_is_seen() {
    if !installed(&["tshark"]) {
        return;
    }
    let stage = Stage::calm("ras-cut");
    let file = stage.file("ras.pcap");
    let message = ras::samples().remove(0).1;
    let mut buffer = [0; 2048];
    let length = message.encode(&mut buffer).unwrap();
    let mut capture = begin_of_capture();
    capture.extend(packet(&buffer[..length - 4]));
    fs::write(&file, capture).unwrap();
    let packets = dissected(&file);
    assert!(
        packets[0]
            .iter()
            .any(|(key, _)| key.starts_with("_ws.malformed"))
    );
}

/// The fields of each packet, in their order, as tshark shows them.
fn dissected(file: &Path) -> Vec<Vec<(String, String)>> {
    let mut command = Command::new("tshark");
    command.arg("-r").arg(file).args(["-n", "-T", "json"]);
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let mut packets: Vec<Vec<(String, String)>> = Vec::new();
    // One field a line; names stand several times in one object, which readers of JSON dislike.
    for line in text.lines() {
        let line = line.trim().trim_end_matches(',');
        if line.starts_with("\"_index\"") {
            packets.push(Vec::new());
        }
        let field = line
            .strip_prefix('"')
            .and_then(|rest| rest.split_once("\": "));
        if let (Some((key, value)), Some(fields)) = (field, packets.last_mut()) {
            fields.push((key.to_owned(), value.trim_matches('"').to_owned()));
        }
    }
    packets
}

/// The head of a capture file of bare IPv4 packets (LINKTYPE_IPV4).
fn begin_of_capture() -> Vec<u8> {
    let mut head = Vec::new();
    head.extend(0xa1b2_c3d4_u32.to_le_bytes());
    head.extend([2, 0, 4, 0]);
    head.extend([0; 8]);
    head.extend(65_535_u32.to_le_bytes());
    head.extend(228_u32.to_le_bytes());
    head
}

/// A captured datagram from one RAS port to another.
fn packet(payload: &[u8]) -> Vec<u8> {
    let udp = u16::try_from(payload.len() + 8).unwrap();
    let whole = udp + 20;
    let mut packet = vec![0; 8];
    packet.extend(u32::from(whole).to_le_bytes());
    packet.extend(u32::from(whole).to_le_bytes());
    packet.extend([0x45, 0]);
    packet.extend(whole.to_be_bytes());
    // No fragment, a hop count, UDP, and checksums that nobody wrote.
    packet.extend([0, 0, 0x40, 0, 64, 17, 0, 0]);
    packet.extend([192, 0, 2, 1, 192, 0, 2, 2]);
    packet.extend(1719_u16.to_be_bytes());
    packet.extend(1719_u16.to_be_bytes());
    packet.extend(udp.to_be_bytes());
    packet.extend([0, 0]);
    packet.extend(payload);
    packet
}
