//! RAS messages that an independent encoder wrote: good ones are read and written to the same bytes,
//! bad ones are refused.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use signaling::h323::ras::Message;
use std::fs;
use std::path::Path;
use support::{octets, vectors};

#[test]
fn good_messages_are_written_as_they_were_read() {
    let Some(folder) = vectors("ras") else {
        return;
    };
    let good = messages(&folder, |name| !name.starts_with("BAD_"));
    assert_eq!(good.len(), 26);
    let mut buffer = [0xff; 2048];
    for (name, bytes) in good {
        let message = Message::decode(&bytes).unwrap_or_else(|fault| panic!("{name}: {fault}"));
        assert!(!matches!(message, Message::Other(_)), "{name}");
        let length = message.encode(&mut buffer).unwrap();
        assert_eq!(buffer.get(..length), Some(bytes.as_slice()), "{name}");
    }
}

#[test]
fn bad_messages_are_refused() {
    let Some(folder) = vectors("ras") else {
        return;
    };
    let bad = messages(&folder, |name| name.starts_with("BAD_"));
    assert_eq!(bad.len(), 5);
    for (name, bytes) in bad {
        let message = Message::decode(&bytes);
        assert!(message.is_err(), "{name}: {message:?}");
    }
}

/// The names and octets of the messages whose names are wanted.
fn messages(folder: &Path, wanted: impl Fn(&str) -> bool) -> Vec<(String, Vec<u8>)> {
    let files = fs::read_dir(folder).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| wanted(name)).collect();
    names.sort();
    let message = |name: String| {
        let text = fs::read_to_string(folder.join(&name)).unwrap();
        // The first line says where it is from.
        let bytes = octets(text.lines().nth(1).unwrap());
        (name, bytes)
    };
    names.into_iter().map(message).collect()
}
