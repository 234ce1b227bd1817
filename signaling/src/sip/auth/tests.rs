//! Requests with credentials of every kind, and what they are worth.

use super::*;
use crate::sip::message::{Framing, Index, Limits};
use std::time::Duration;

const REALM: &str = "baton.example.com";

struct Stage {
    realm: Realm,
    nonces: Nonces,
    now: Instant,
}

impl Stage {
    fn new() -> Self {
        #[expect(clippy::disallowed_methods, reason = "an instant to start from")]
        let now = Instant::now();
        let users = [("room", "secret"), ("a \"b\"", "x"), ("room", "second")];
        Self {
            realm: Realm::new(REALM, users),
            nonces: Nonces::new([1, 2], 0, now),
            now,
        }
    }

    fn nonce(&mut self) -> String {
        text(&self.nonces.make(self.now))
    }

    fn judge(&mut self, header: &str) -> Credence {
        let request = format!(
            "INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa\r\n\
             From: <sip:c@d>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: i\r\nCSeq: 1 INVITE\r\n\
             {header}Content-Length: 0\r\n\r\n"
        );
        let mut index = Index::new(Limits::default());
        let message = index.read(request.as_bytes(), Framing::Datagram);
        assert_eq!(message.fault(), None);
        self.realm.judge(&mut self.nonces, self.now, &message)
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What a right user agent sends; `change` is made to the finished line.
fn authorization(algorithm: Algorithm, nonce: &str, count: u32, password: &str) -> String {
    let nonce_count = format!("{count:08x}");
    let request = Request {
        method: b"INVITE",
        uri: b"sip:a@b",
        nonce: nonce.as_bytes(),
        nonce_count: nonce_count.as_bytes(),
        cnonce: b"0a4f",
    };
    let secret = algorithm.secret(b"room", REALM.as_bytes(), password.as_bytes());
    let response = text(algorithm.response(&secret, &request).as_bytes());
    format!(
        "Authorization: Digest username=\"room\",realm=\"{REALM}\",nonce=\"{nonce}\",uri=\"sip:a@b\",\
         response=\"{response}\",algorithm={},cnonce=\"0a4f\",qop=auth,nc={nonce_count}\r\n",
        algorithm.as_str()
    )
}

#[test]
fn right_credentials_are_good_once() {
    for algorithm in ALGORITHMS {
        let mut stage = Stage::new();
        let nonce = stage.nonce();
        let first = authorization(algorithm, &nonce, 1, "secret");
        assert_eq!(stage.judge(&first), Credence::Good);
        assert_eq!(stage.judge(&first), Credence::Stale, "replayed");
        let second = authorization(algorithm, &nonce, 2, "secret");
        assert_eq!(stage.judge(&second), Credence::Good);
        stage.now += Duration::from_secs(400);
        let third = authorization(algorithm, &nonce, 3, "secret");
        assert_eq!(stage.judge(&third), Credence::Stale);
    }
}

#[test]
fn no_algorithm_means_md5() {
    let mut stage = Stage::new();
    let nonce = stage.nonce();
    let line = authorization(Algorithm::Md5, &nonce, 1, "secret").replace(",algorithm=MD5", "");
    assert_eq!(stage.judge(&line), Credence::Good);
}

#[test]
fn wrong_credentials_are_wrong() {
    let mut stage = Stage::new();
    let nonce = stage.nonce();
    let good = authorization(Algorithm::Sha256, &nonce, 1, "secret");
    for bad in [
        authorization(Algorithm::Sha256, &nonce, 1, "Secret"),
        authorization(Algorithm::Sha256, &nonce, 1, "second"),
        good.replace("username=\"room\"", "username=\"hall\""),
        good.replace("uri=\"sip:a@b\"", "uri=\"sip:a@c\""),
        good.replace("nc=00000001", "nc=00000002"),
        good.replace("algorithm=SHA-256", "algorithm=MD5"),
        good.replace("0a4f", "0a4e"),
    ] {
        assert_eq!(stage.judge(&bad), Credence::Wrong, "{bad}");
    }
    // A user that is not there, with the secret that stands for it.
    let nobody = Algorithm::Sha256.secret(b"", REALM.as_bytes(), b"");
    let request = Request {
        method: b"INVITE",
        uri: b"sip:a@b",
        nonce: nonce.as_bytes(),
        nonce_count: b"00000001",
        cnonce: b"0a4f",
    };
    let response = text(Algorithm::Sha256.response(&nobody, &request).as_bytes());
    let line = format!(
        "Authorization: Digest username=\"\",realm=\"{REALM}\",nonce=\"{nonce}\",uri=\"sip:a@b\",\
         response=\"{response}\",algorithm=SHA-256,cnonce=\"0a4f\",qop=auth,nc=00000001\r\n"
    );
    assert_eq!(stage.judge(&line), Credence::Wrong);
    assert_eq!(
        stage.judge(&good),
        Credence::Good,
        "none of them used the count"
    );
}

#[test]
fn what_answers_no_challenge_of_ours_is_absent() {
    let mut stage = Stage::new();
    let nonce = stage.nonce();
    let good = authorization(Algorithm::Sha256, &nonce, 1, "secret");
    for other in [
        String::new(),
        "Authorization: Basic cm9vbTpzZWNyZXQ=\r\n".to_owned(),
        good.replace(REALM, "elsewhere"),
        good.replace(",qop=auth", ""),
        good.replace("qop=auth", "qop=auth-int"),
        good.replace("nc=00000001", "nc=1"),
        good.replace("nc=00000001", "nc=0000000g"),
        good.replace(",cnonce=\"0a4f\"", ""),
        good.replace("SHA-256", "SHA-512-256"),
        good.replace("username=", "user="),
    ] {
        assert_eq!(stage.judge(&other), Credence::Absent, "{other}");
    }
    let both = format!("{}{good}", good.replace(REALM, "elsewhere"));
    assert_eq!(stage.judge(&both), Credence::Good, "the one for us counts");
}

#[test]
fn a_nonce_of_another_run_is_stale_for_who_knows_the_password() {
    let mut stage = Stage::new();
    let foreign = text(&Nonces::new([9, 9], 0, stage.now).make(stage.now));
    let good = authorization(Algorithm::Sha256, &foreign, 1, "secret");
    assert_eq!(stage.judge(&good), Credence::Stale);
    let wrong = authorization(Algorithm::Sha256, &foreign, 1, "guess");
    assert_eq!(stage.judge(&wrong), Credence::Wrong);
}

#[test]
fn challenges_offer_the_best_first() {
    let mut stage = Stage::new();
    let nonce = stage.nonces.make(stage.now);
    let mut room = [0; 1024];
    let mut writer = Writer::new(&mut room);
    stage
        .realm
        .write_challenges(&mut writer, &nonce, true, false);
    let length = writer.finish().unwrap();
    let all = text(&room[..length]);
    let lines: Vec<&str> = all.lines().collect();
    let expected = format!(
        "WWW-Authenticate: Digest realm=\"{REALM}\",qop=\"auth\",nonce=\"{}\",algorithm=SHA-256,stale=true",
        text(&nonce)
    );
    assert_eq!(
        lines,
        [expected.clone(), expected.replace("SHA-256", "MD5")]
    );
}

#[test]
fn nothing_secret_is_shown() {
    let realm = Realm::new("r", [("room", "secret")]);
    assert_eq!(format!("{realm:?}"), "Realm { name: \"r\", users: 1, .. }");
}
