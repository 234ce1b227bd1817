//! The IPv6 torture messages of RFC 5118.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::net::IpAddr;

use signaling::sip::message::{
    Fault, Framing, HeaderName, Index, Limits, Message, NameAddr, Uri, Via,
};
use support::exhaust::exhaust;
use support::{Table, vectors};

#[test]
fn messages_are_taken_or_refused_as_the_table_says() {
    let Some(folder) = vectors("rfc5118") else {
        return;
    };
    let table = Table::read(&folder.join("expected.tsv"));
    let mut index = Index::new(Limits::default());
    let mut count = 0;
    for row in table.rows() {
        let name = row.get("message");
        let bytes = row.message(&folder, name);
        let message = index.read(&bytes, Framing::Datagram);
        let expected = (row.get("datagram_expected") == "400").then_some(Fault::BadRequestUri);
        assert_eq!(message.fault(), expected, "{name}");
        exhaust(&bytes);
        count += 1;
    }
    assert_eq!(count, 12);
}

fn read(name: &str, check: impl Fn(&Message<'_>)) {
    let Some(folder) = vectors("rfc5118") else {
        return;
    };
    let bytes = std::fs::read(folder.join(format!("{name}.dat"))).unwrap();
    check(&Index::new(Limits::default()).read(&bytes, Framing::Datagram));
}

fn ip(text: &str) -> Option<IpAddr> {
    Some(text.parse().unwrap())
}

#[test]
fn a_port_stands_after_the_bracket() {
    read("4.3_port-ambiguous", |message| {
        let uri = Uri::parse(message.request_uri()).unwrap();
        assert_eq!((uri.ip(), uri.port), (ip("2001:db8::10:5070"), None));
    });
    read("4.4_port-unambiguous", |message| {
        let uri = Uri::parse(message.request_uri()).unwrap();
        assert_eq!((uri.ip(), uri.port), (ip("2001:db8::10"), Some(5070)));
    });
}

#[test]
fn received_is_read_with_and_without_brackets() {
    for name in [
        "4.5_via-received-param-no-delim",
        "4.5_via-received-param-with-delim",
    ] {
        read(name, |message| {
            assert_eq!(
                Via::parse(message.top_via()).unwrap().received(),
                ip("2001:db8::9:255")
            );
        });
    }
}

#[test]
fn mapped_addresses_are_addresses() {
    read("4.9_ipv4-mapped-ipv6", |message| {
        let via = Via::parse(message.top_via()).unwrap();
        assert_eq!(via.host_ip(), ip("::ffff:192.0.2.10"));
        let contact = NameAddr::parse(message.header(HeaderName::Contact).unwrap()).unwrap();
        assert!(Uri::parse(contact.uri).unwrap().ip().is_some());
    });
    read("4.7_mult-ip-in-header", |message| {
        let all = message
            .values(HeaderName::Via)
            .all(|via| Via::parse(via).unwrap().host_ip().is_some());
        assert!(all);
    });
}
