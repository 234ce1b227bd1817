//! Messages of RAS with their bytes, and the rules that reading and writing them must keep.
//!
//! The bytes in `ras/messages.txt` are those of an independent encoder.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/ras.rs"]
mod ras;
mod support;

use ras::samples;
use signaling::h323::per::{Fault, List, Number, Unwritable};
use signaling::h323::ras::{
    AdmissionReject, AdmissionRejectReason, LocationRequest, Message, RegistrationConfirm,
    RegistrationRequest, ResourcesAvailableIndicate, UnknownMessageResponse, VERSION_7,
};
use signaling::h323::types::{AliasAddress, TransportAddress};
use support::octets;

#[test]
fn messages_have_the_bytes_of_another_encoder() {
    let text = include_str!("ras/messages.txt");
    let known: Vec<(&str, Vec<u8>)> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_once(' ').unwrap())
        .map(|(name, digits)| (name, octets(digits)))
        .collect();
    assert!(known.len() >= 15);
    for (name, bytes) in known {
        let (_, message, _) = samples()
            .into_iter()
            .find(|(known, ..)| *known == name)
            .unwrap();
        assert_eq!(written(&message), bytes, "{name}");
        assert_eq!(Message::decode(&bytes), Ok(message), "{name}");
    }
}

/// A token with something of somebody's own, written by an independent encoder.
#[test]
fn a_token_may_hold_what_is_not_standard() {
    let bytes = octets("62000007201a010080070008816b0002050a2a864886f70c0a01020103616263020100");
    let message = Message::decode(&bytes).unwrap();
    let Message::UnknownMessageResponse(response) = &message else {
        panic!("{message:?}");
    };
    let tokens: Vec<_> = response
        .tokens
        .iter()
        .flat_map(|tokens| tokens.iter())
        .collect();
    let token = tokens[0].non_standard.unwrap();
    assert_eq!(token.data, b"abc");
    assert_eq!(
        token.non_standard_identifier.to_string(),
        "1.2.840.113548.10.1.2.1"
    );
    assert_eq!(written(&message), bytes);
}

#[test]
fn every_message_is_read_as_it_was_written() {
    for (name, message, _) in samples() {
        let bytes = written(&message);
        let read = Message::decode(&bytes).unwrap_or_else(|fault| panic!("{name}: {fault}"));
        assert_eq!(read, message, "{name}");
        assert_eq!(written(&read), bytes, "{name}");
    }
}

/// One sample of each kind that is known: nobody forgets to add one.
#[test]
fn each_kind_of_message_is_among_the_samples() {
    let samples = samples();
    let kinds = samples
        .iter()
        .map(|(_, message, _)| std::mem::discriminant(message));
    let kinds: std::collections::HashSet<_> = kinds.collect();
    assert_eq!(kinds.len(), 25 + 7);
}

#[test]
fn a_message_cut_short_anywhere_is_an_error() {
    for (name, message, _) in samples() {
        let bytes = written(&message);
        for end in 0..bytes.len() {
            assert!(
                Message::decode(&bytes[..end]).is_err(),
                "{name} cut at {end}"
            );
        }
    }
}

#[test]
fn trailing_bytes_are_refused() {
    for (name, message, _) in samples() {
        for trailing in [0, 0xff] {
            let mut bytes = written(&message);
            bytes.push(trailing);
            assert_eq!(Message::decode(&bytes), Err(Fault::Trailing), "{name}");
        }
    }
}

#[test]
fn what_has_no_room_is_said() {
    for (name, message, _) in samples() {
        let length = written(&message).len();
        for room in 0..length {
            let mut buffer = vec![0; room];
            assert_eq!(
                message.encode(&mut buffer),
                Err(Unwritable::NoRoom),
                "{name} in {room}"
            );
        }
    }
}

/// UCF with additions: of a count that no version has, and the last one set.
#[test]
fn additions_of_a_later_version_are_skipped() {
    // choice 7 in 5 bits, extension bit, no nonStandardData; 9; bitmap of 7, the last one.
    let bytes = octets("1e00080c040155");
    let Ok(Message::UnregistrationConfirm(confirm)) = Message::decode(&bytes) else {
        panic!("{:?}", Message::decode(&bytes));
    };
    assert_eq!(confirm.request_seq_num, Number(9));
    assert!(confirm.tokens.is_none() && confirm.assigned_gatekeeper.is_none());
    // The same with a length that runs over the end.
    assert_eq!(
        Message::decode(&octets("1e00080c040255")),
        Err(Fault::Short)
    );
    // More than 64 of them.
    assert_eq!(
        Message::decode(&octets("1e0008ff040155")),
        Err(Fault::TooManyAdditions)
    );
}

#[test]
fn booleans_that_older_senders_omit_are_false() {
    let request = RegistrationRequest {
        request_seq_num: Number(1),
        protocol_identifier: VERSION_7,
        ..RegistrationRequest::default()
    };
    let bytes = written(&Message::RegistrationRequest(request));
    let Ok(Message::RegistrationRequest(read)) = Message::decode(&bytes) else {
        panic!("not read");
    };
    assert!(!read.keep_alive.unwrap_or_default());
    assert!(!read.maintain_connection.unwrap_or_default());
}

/// H.225.0: timeToLive 60 is one less in the fewest octets, in its open type.
#[test]
fn values_in_additions_keep_their_constraints() {
    let confirm = RegistrationConfirm {
        request_seq_num: Number(1),
        protocol_identifier: VERSION_7,
        gatekeeper_identifier: Some("peer1".into()),
        terminal_alias: Some(ras::list(vec![AliasAddress::DialledDigits("1001".into())])),
        endpoint_identifier: "e".into(),
        time_to_live: Some(Number(60)),
        ..RegistrationConfirm::default()
    };
    let bytes = written(&Message::RegistrationConfirm(confirm));
    let has = |part: &str| {
        let part = octets(part);
        bytes.windows(part.len()).any(|window| window == part)
    };
    assert!(has("02003b"), "timeToLive");
    assert!(has("08007000650065007200"), "gatekeeperIdentifier");
    assert!(has("4334"), "dialledDigits");
}

#[test]
fn values_out_of_range_are_not_written() {
    let mut buffer = [0; 512];
    let zero = UnknownMessageResponse {
        request_seq_num: Number(0),
        ..UnknownMessageResponse::default()
    };
    let refused = Err(Unwritable::OutOfRange);
    assert_eq!(
        Message::UnknownMessageResponse(zero).encode(&mut buffer),
        refused
    );
    let alias = |alias| {
        let request = LocationRequest {
            destination_info: ras::list(vec![alias]),
            ..LocationRequest::default()
        };
        Message::LocationRequest(request)
    };
    let long = "x".repeat(257).leak();
    let wrong = [
        AliasAddress::DialledDigits("12a".into()),
        AliasAddress::DialledDigits("".into()),
        AliasAddress::H323Id((&*long).into()),
        AliasAddress::H323Id("".into()),
        AliasAddress::UrlId(signaling::h323::per::Ia5("z\u{fc}rich")),
    ];
    for wrong in wrong {
        assert_eq!(alias(wrong).encode(&mut buffer), refused, "{wrong:?}");
    }
}

#[test]
fn lists_change_the_class_of_their_length() {
    for count in [0, 1, 127, 128, 300] {
        let address =
            TransportAddress::from("192.0.2.1:1".parse::<std::net::SocketAddr>().unwrap());
        let request = RegistrationRequest {
            request_seq_num: Number(1),
            protocol_identifier: VERSION_7,
            ras_address: ras::list(vec![address; count]),
            ..RegistrationRequest::default()
        };
        let bytes = written(&Message::RegistrationRequest(request));
        let Ok(Message::RegistrationRequest(read)) = Message::decode(&bytes) else {
            panic!("{count} are not read");
        };
        assert_eq!(read.ras_address.len(), count);
        assert_eq!(read.ras_address.iter().count(), count);
        assert_eq!(read, request);
        // Over many octets a list and the open types that it lies in stay what they are.
        let aliases = vec![AliasAddress::UrlId(signaling::h323::per::Ia5("a")); count];
        let request = LocationRequest {
            source_info: Some(ras::list(aliases)),
            destination_info: List::default(),
            ..LocationRequest::default()
        };
        let message = Message::LocationRequest(request);
        let bytes = written(&message);
        assert_eq!(Message::decode(&bytes), Ok(message));
    }
}

/// What is not known is kept, to be named in an unknownMessageResponse.
#[test]
fn messages_of_later_versions_are_told_apart() {
    // The eighth addition: admissionConfirmSequence.
    let bytes = octets("870311aa55");
    let Ok(Message::Other(other)) = Message::decode(&bytes) else {
        panic!("{:?}", Message::decode(&bytes));
    };
    assert_eq!((other.number, other.bytes), (7, &[0x11, 0xaa, 0x55][..]));
    assert_eq!(written(&Message::Other(other)), bytes);
    // The root has 25 alternatives in five bits.
    for choice in 25..32_u8 {
        let bytes = [choice << 2, 0, 0, 0];
        assert_eq!(Message::decode(&bytes), Err(Fault::Alternative));
    }
}

#[test]
fn reasons_of_later_versions_are_kept() {
    let bytes = octets("2c0008bf020102");
    let Ok(Message::AdmissionReject(AdmissionReject { reject_reason, .. })) =
        Message::decode(&bytes)
    else {
        panic!("{:?}", Message::decode(&bytes));
    };
    assert!(matches!(reject_reason, AdmissionRejectReason::Other(other) if other.number == 63));
}

/// Nested generic data: as deep as somebody might need, and no deeper.
#[test]
fn depth_is_limited() {
    let sample = |name| {
        samples()
            .into_iter()
            .find(|(known, ..)| *known == name)
            .unwrap()
            .1
    };
    let Message::ResourcesAvailableIndicate(base) = sample("resources_available") else {
        panic!("another message");
    };
    for (depth, fits) in [(8, true), (9, false), (200, false)] {
        let indication = ResourcesAvailableIndicate {
            generic_data: Some(nested(depth)),
            ..base
        };
        let bytes = written(&Message::ResourcesAvailableIndicate(indication));
        let read = Message::decode(&bytes);
        if fits {
            assert_eq!(read, Ok(Message::ResourcesAvailableIndicate(indication)));
        } else {
            assert_eq!(read, Err(Fault::Depth));
        }
    }
}

fn nested(depth: usize) -> List<'static, signaling::h323::types::GenericData<'static>> {
    use signaling::h323::types::{Content, EnumeratedParameter, GenericData, Inner};
    let mut data = GenericData::default();
    for _ in 0..depth {
        let parameter = EnumeratedParameter {
            content: Some(Content::Nested(Inner(ras::list(vec![data])))),
            ..EnumeratedParameter::default()
        };
        data.parameters = Some(ras::list(vec![parameter]));
    }
    ras::list(vec![data])
}

fn written(message: &Message<'_>) -> Vec<u8> {
    let mut buffer = vec![0xff; 8192];
    let length = message.encode(&mut buffer).unwrap();
    buffer.truncate(length);
    buffer
}
