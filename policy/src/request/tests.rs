//! Requests as POLICY.md section 4 has them.

use super::*;

/// The vendor's trace, with the tail that POLICY.md section 4.3 gives it.
const TRACE: &str = "ALLOW_INTERWORKING=TRUE&AUTHENTICATED=FALSE&AUTHENTICATION_USER_NAME=\
    &CLUSTER_NAME=vcs_cluster&DESTINATION_ALIAS=alice%40example.com\
    &GLOBAL_CALL_SERIAL_NUMBER=094f761c-b21c-11e0-91a2-000c29e127de\
    &LOCAL_CALL_SERIAL_NUMBER=094f754a-b21c-11e0-91a2-000c29e127de\
    &METHOD=INVITE&NETWORK_TYPE=IPV4&POLICY_TYPE=ADMIN&PROTOCOL=SIP&REGISTERED_ALIAS=\
    &SOURCE_ADDRESS=192.0.2.10&SOURCE_IP=192.0.2.10&SOURCE_PORT=5061&TRAVERSAL_TYPE=TYPE_UNDEF\
    &UNAUTHENTICATED_SOURCE_ALIAS=bob%40example.com&UTCTIME=2011-07-19%2015%3A30%3A30\
    &ZONE_NAME=DefaultZone";

fn read(body: &str) -> Result<Request<'_>, BadRequest> {
    Request::read(body.as_bytes(), Plus::Space)
}

#[test]
fn the_trace_of_the_guide_is_read() {
    let request = read(TRACE).expect("right");
    assert_eq!(request.kind, Kind::Admin);
    assert_eq!(request.alias(), "alice@example.com");
    assert_eq!(request.method, Some(Method::Invite));
    assert_eq!(request.protocol, Some(Protocol::Sip));
    assert!(!request.is_authenticated);
    assert_eq!(request.source(), "bob@example.com");
    assert_eq!(request.user, "");
    assert_eq!(request.zone, "DefaultZone");
    assert_eq!(request.address, "192.0.2.10".parse().ok());
    assert_eq!(
        request.global_serial,
        "094f761c-b21c-11e0-91a2-000c29e127de"
    );
    assert_eq!(request.local_serial, "094f754a-b21c-11e0-91a2-000c29e127de");
    assert_eq!(request.cluster, "vcs_cluster");
}

#[test]
fn schemes_are_stripped_once_and_in_any_case() {
    for (dialled, alias) in [
        ("sip:a@b", "a@b"),
        ("SIPS%3Aa%40b", "a@b"),
        ("h323:sip:a", "sip:a"),
        ("sip", "sip"),
    ] {
        let body = format!("POLICY_TYPE=SEARCH&DESTINATION_ALIAS={dialled}");
        assert_eq!(read(&body).expect("right").alias(), alias, "{dialled}");
    }
}

#[test]
fn what_was_proved_goes_before_what_is_said() {
    let body = "POLICY_TYPE=USER&DESTINATION_ALIAS=x&UNAUTHENTICATED_SOURCE_ALIAS=said\
        &AUTHENTICATED_SOURCE_ALIAS=proved&AUTHENTICATED=TRUE";
    let request = read(body).expect("right");
    assert!(request.is_authenticated);
    assert_eq!(request.source(), "proved");
}

#[test]
fn a_registration_is_for_its_alias() {
    let request = read("POLICY_TYPE=REGISTRATION&ALIAS=bob%40x&ALIAS=other&DESTINATION_ALIAS=no");
    assert_eq!(request.expect("right").alias(), "bob@x");
    let request = read("POLICY_TYPE=REGISTRATION").expect("nothing else is needed");
    assert_eq!(request.alias(), "");
}

#[test]
fn absent_is_empty() {
    let short = read("POLICY_TYPE=SEARCH&DESTINATION_ALIAS=x").expect("right");
    assert_eq!((short.method, short.has_method), (None, false));
    let empty = read("POLICY_TYPE=SEARCH&METHOD=&DESTINATION_ALIAS=&DESTINATION_ALIAS=x");
    assert!(!empty.expect("right").has_method);
    let strange = read("POLICY_TYPE=SEARCH&METHOD=BREW&DESTINATION_ALIAS=x").expect("right");
    assert_eq!((strange.method, strange.has_method), (None, true));
}

#[test]
fn what_says_nothing_is_refused() {
    let cases = [
        ("", BadRequest::NoKind),
        ("POLICY_TYPE=&DESTINATION_ALIAS=x", BadRequest::NoKind),
        (
            "POLICY_TYPE=search&DESTINATION_ALIAS=x",
            BadRequest::UnknownKind,
        ),
        ("POLICY_TYPE=SEARCH", BadRequest::NoDestination),
        (
            "POLICY_TYPE=SEARCH&DESTINATION_ALIAS=sip:",
            BadRequest::NoDestination,
        ),
        (
            "POLICY_TYPE=SEARCH&DESTINATION_ALIAS=x&DESTINATION_ALIAS=y",
            BadRequest::Twice("DESTINATION_ALIAS"),
        ),
        (
            "POLICY_TYPE=SEARCH&POLICY_TYPE=ADMIN&DESTINATION_ALIAS=x",
            BadRequest::Twice("POLICY_TYPE"),
        ),
        (
            "POLICY_TYPE=SEARCH&DESTINATION_ALIAS=x&GLOBAL_CALL-SERIAL_NUMBER=1\
             &GLOBAL_CALL_SERIAL_NUMBER=2",
            BadRequest::Twice("GLOBAL_CALL_SERIAL_NUMBER"),
        ),
    ];
    for (body, wanted) in cases {
        assert_eq!(read(body).map(|_| ()), Err(wanted), "{body}");
    }
}

#[test]
fn the_same_twice_is_once() {
    let body = "POLICY_TYPE=SEARCH&POLICY_TYPE=SEARCH&DESTINATION_ALIAS=a%40b&DESTINATION_ALIAS=a@b\
        &GLOBAL_CALL-SERIAL_NUMBER=1&GLOBAL_CALL_SERIAL_NUMBER=1\
        &UNAUTHENTICATED_SOURCE_ALIAS=1&UNAUTHENTICATED_SOURCE_ALIAS=2";
    let request = read(body).expect("right");
    assert_eq!((request.alias(), request.source()), ("a@b", "1"));
}

#[test]
fn a_json_object_says_the_same() {
    let body = br#"{"type":"admin","alias":"sip:a@b","call":"c1","source":"SIP:bob@x","authenticated":true,
        "user":"bob","zone":"Z","address":"2001:db8::1","method":"SETUP","protocol":"h323","explain":true}"#;
    let (request, explain) = Request::read_json(body).expect("right");
    assert_eq!(
        (request.kind, request.alias(), explain),
        (Kind::Admin, "a@b", true)
    );
    assert_eq!((request.source(), &*request.global_serial), ("bob@x", "c1"));
    assert_eq!(
        (request.method, request.protocol),
        (Some(Method::Setup), Some(Protocol::H323))
    );
    assert!(request.is_authenticated && request.has_method && request.address.is_some());
    let (short, explain) = Request::read_json(br#"{"alias":"a","zone":null}"#).expect("right");
    assert_eq!(
        (short.kind, short.has_method, explain),
        (Kind::Search, false, false)
    );
    for (body, wanted) in [
        ("{}", BadRequest::NoDestination),
        (r#"{"alias":"sip:"}"#, BadRequest::NoDestination),
        (r#"{"alias":true}"#, BadRequest::Value("alias".to_owned())),
        (
            r#"{"alias":"a","type":"SEARCH"}"#,
            BadRequest::Value("type".to_owned()),
        ),
        (
            r#"{"alias":"a","method":"BREW"}"#,
            BadRequest::Value("method".to_owned()),
        ),
        (
            r#"{"alias":"a","address":"x"}"#,
            BadRequest::Value("address".to_owned()),
        ),
        (
            r#"{"alias":"a","explain":"yes"}"#,
            BadRequest::Value("explain".to_owned()),
        ),
        (
            r#"{"alias":"a","aliases":"b"}"#,
            BadRequest::Member("aliases".to_owned()),
        ),
        ("[]", BadRequest::Json(JsonError::NoObject)),
    ] {
        assert_eq!(
            Request::read_json(body.as_bytes()).err(),
            Some(wanted),
            "{body}"
        );
    }
}
