//! What a VCS asks: the parameters of one request (POLICY.md section 4.2).
//!
//! An absent parameter and an empty one are the same. Names that are not known are passed over. A
//! parameter that is given twice with two values is refused, because nobody can say which one the
//! VCS meant; only the caller's aliases and those that are registered may stand several times, and
//! then the first one counts.

use crate::form::{Plus, decode, pairs};
use crate::json::{JsonError, Value, members};
use balancer::without_scheme;
use std::borrow::Cow;
use std::net::IpAddr;

/// What is to be decided (`POLICY_TYPE`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Whether a call may be made at all: Call Policy.
    Admin,
    /// Whether an endpoint may register.
    Registration,
    /// Where a search rule leads.
    Search,
    /// Where a person is to be found: User Policy.
    User,
}

/// What the VCS was sent (`METHOD`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// H.323: a registered endpoint wants to call.
    Arq,
    /// SIP: a call.
    Invite,
    /// H.323: a neighbour asks where an alias is.
    Lrq,
    /// SIP: what an alias can do.
    Options,
    /// SIP: presence.
    Publish,
    /// A registration.
    Register,
    /// H.323: a call that no RAS message came before.
    Setup,
    /// SIP: a subscription.
    Subscribe,
}

/// The protocol that the caller speaks (`PROTOCOL`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// H.323.
    H323,
    /// SIP.
    Sip,
}

/// One request. Texts are decoded; an absent one is empty.
#[derive(Clone, Debug)]
pub struct Request<'b> {
    /// What is to be decided.
    pub kind: Kind,
    /// What was dialled, or what is being registered, as it was sent; see [`Request::alias`].
    pub dialled: Cow<'b, str>,
    /// What the VCS was sent; `None` where it does not say, or says what we do not know.
    pub method: Option<Method>,
    /// Whether it says so at all.
    pub has_method: bool,
    /// The protocol that the caller speaks.
    pub protocol: Option<Protocol>,
    /// Whether the caller has proved who he is.
    pub is_authenticated: bool,
    /// The caller: as he has proved to be, else as he says; see [`Request::source`].
    pub named_source: Cow<'b, str>,
    /// The name that he has proved it with.
    pub user: Cow<'b, str>,
    /// The zone of the VCS that the call came from.
    pub zone: Cow<'b, str>,
    /// Where it came from.
    pub address: Option<IpAddr>,
    /// Which call it is, the same on every VCS that it passes.
    pub global_serial: Cow<'b, str>,
    /// Which call it is on this VCS.
    pub local_serial: Cow<'b, str>,
    /// The cluster of the VCS.
    pub cluster: Cow<'b, str>,
}

/// Why a request cannot be understood (400).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRequest {
    /// No JSON, where that is spoken.
    #[error("{0}")]
    Json(#[from] JsonError),
    /// A name that is not known, where that is a mistake.
    #[error("`{0}` is no member of a request")]
    Member(String),
    /// A call without a destination.
    #[error("no destination alias")]
    NoDestination,
    /// Not said what is to be decided.
    #[error("no POLICY_TYPE")]
    NoKind,
    /// Two values for one name.
    #[error("{0} is given twice")]
    Twice(&'static str),
    /// A type of policy that does not exist.
    #[error("unknown POLICY_TYPE")]
    UnknownKind,
    /// A member has another kind of value, or one that is not known.
    #[error("`{0}` cannot have this value")]
    Value(String),
}

/// The parameters that decide anything, or say which call it is. The others (`ALLOW_INTERWORKING`,
/// `DESTINATION_ALIAS_PARAMS`, `NETWORK_TYPE`, `SOURCE_ADDRESS`, `SOURCE_PORT`, `TRAVERSAL_TYPE`,
/// `UTCTIME`) are known and read over: no rule asks for them.
#[derive(Default)]
struct Fields<'b> {
    alias: Field<'b>,
    authenticated: Field<'b>,
    authenticated_source: Field<'b>,
    authentication_user: Field<'b>,
    cluster: Field<'b>,
    destination: Field<'b>,
    global_serial: Field<'b>,
    local_serial: Field<'b>,
    method: Field<'b>,
    policy_type: Field<'b>,
    protocol: Field<'b>,
    source_ip: Field<'b>,
    unauthenticated_source: Field<'b>,
    zone: Field<'b>,
}

#[derive(Default)]
struct Field<'b>(Cow<'b, str>);

impl<'b> Fields<'b> {
    /// Where a parameter goes, its name for people, and whether it may stand several times.
    fn place(&mut self, name: &[u8]) -> Option<(&mut Field<'b>, &'static str, bool)> {
        Some(match name {
            b"ALIAS" => (&mut self.alias, "ALIAS", true),
            b"AUTHENTICATED" => (&mut self.authenticated, "AUTHENTICATED", false),
            b"AUTHENTICATED_SOURCE_ALIAS" => (
                &mut self.authenticated_source,
                "AUTHENTICATED_SOURCE_ALIAS",
                true,
            ),
            b"AUTHENTICATION_USER_NAME" => (
                &mut self.authentication_user,
                "AUTHENTICATION_USER_NAME",
                false,
            ),
            b"CLUSTER_NAME" => (&mut self.cluster, "CLUSTER_NAME", false),
            b"DESTINATION_ALIAS" => (&mut self.destination, "DESTINATION_ALIAS", false),
            // The tables of the guides print the second name, the trace shows the first.
            b"GLOBAL_CALL_SERIAL_NUMBER" | b"GLOBAL_CALL-SERIAL_NUMBER" => {
                (&mut self.global_serial, "GLOBAL_CALL_SERIAL_NUMBER", false)
            }
            b"LOCAL_CALL_SERIAL_NUMBER" => {
                (&mut self.local_serial, "LOCAL_CALL_SERIAL_NUMBER", false)
            }
            b"METHOD" => (&mut self.method, "METHOD", false),
            b"POLICY_TYPE" => (&mut self.policy_type, "POLICY_TYPE", false),
            b"PROTOCOL" => (&mut self.protocol, "PROTOCOL", false),
            b"SOURCE_IP" => (&mut self.source_ip, "SOURCE_IP", false),
            b"UNAUTHENTICATED_SOURCE_ALIAS" => (
                &mut self.unauthenticated_source,
                "UNAUTHENTICATED_SOURCE_ALIAS",
                true,
            ),
            b"ZONE_NAME" => (&mut self.zone, "ZONE_NAME", false),
            _ => return None,
        })
    }

    fn read(body: &'b [u8], plus: Plus) -> Result<Self, BadRequest> {
        let mut fields = Self::default();
        for (name, value) in pairs(body) {
            let Some((Field(text), name, may_repeat)) = fields.place(name) else {
                continue;
            };
            let value = decode(value, plus);
            if text.is_empty() {
                *text = value;
            } else if !may_repeat && !value.is_empty() && *text != value {
                return Err(BadRequest::Twice(name));
            }
        }
        Ok(fields)
    }
}

impl<'b> Request<'b> {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// Why it says nothing that can be decided.
    pub fn read(body: &'b [u8], plus: Plus) -> Result<Self, BadRequest> {
        let fields = Fields::read(body, plus)?;
        let kind = match &*fields.policy_type.0 {
            "" => return Err(BadRequest::NoKind),
            "ADMIN" => Kind::Admin,
            "REGISTRATION" => Kind::Registration,
            "SEARCH" => Kind::Search,
            "USER" => Kind::User,
            _ => return Err(BadRequest::UnknownKind),
        };
        let dialled = match kind {
            Kind::Registration => fields.alias.0,
            Kind::Admin | Kind::Search | Kind::User => fields.destination.0,
        };
        if without_scheme(&dialled).is_empty() && kind != Kind::Registration {
            return Err(BadRequest::NoDestination);
        }
        let is_authenticated = fields.authenticated.0 == "TRUE";
        let proved = Some(fields.authenticated_source.0).filter(|source| !source.is_empty());
        Ok(Self {
            kind,
            dialled,
            method: method(&fields.method.0),
            has_method: !fields.method.0.is_empty(),
            protocol: match &*fields.protocol.0 {
                "H323" => Some(Protocol::H323),
                "SIP" => Some(Protocol::Sip),
                _ => None,
            },
            is_authenticated,
            named_source: proved.unwrap_or(fields.unauthenticated_source.0),
            user: fields.authentication_user.0,
            zone: fields.zone.0,
            address: fields.source_ip.0.parse().ok(),
            global_serial: fields.global_serial.0,
            local_serial: fields.local_serial.0,
            cluster: fields.cluster.0,
        })
    }
}

impl<'b> Request<'b> {
    /// Reads the same from a JSON object, of somebody who is no VCS; and whether the grounds are wanted.
    ///
    /// # Errors
    /// Why it says nothing that can be decided.
    pub fn read_json(body: &'b [u8]) -> Result<(Self, bool), BadRequest> {
        let mut request = Self {
            kind: Kind::Search,
            dialled: Cow::Borrowed(""),
            method: None,
            has_method: false,
            protocol: None,
            is_authenticated: false,
            named_source: Cow::Borrowed(""),
            user: Cow::Borrowed(""),
            zone: Cow::Borrowed(""),
            address: None,
            global_serial: Cow::Borrowed(""),
            local_serial: Cow::Borrowed(""),
            cluster: Cow::Borrowed(""),
        };
        let mut explain = false;
        for (name, value) in members(body)? {
            request.take(&name, value, &mut explain)?;
        }
        if request.alias().is_empty() && request.kind != Kind::Registration {
            return Err(BadRequest::NoDestination);
        }
        Ok((request, explain))
    }

    /// One member of a JSON object.
    fn take(&mut self, name: &str, value: Value<'b>, explain: &mut bool) -> Result<(), BadRequest> {
        let bad = || BadRequest::Value(name.to_owned());
        match (name, value) {
            // As if it did not stand there.
            (
                "address" | "alias" | "authenticated" | "call" | "explain" | "method" | "protocol"
                | "source" | "type" | "user" | "zone",
                Value::Null,
            ) => {}
            ("alias", Value::Text(text)) => self.dialled = text,
            ("call", Value::Text(text)) => self.global_serial = text,
            ("source", Value::Text(text)) => self.named_source = text,
            ("user", Value::Text(text)) => self.user = text,
            ("zone", Value::Text(text)) => self.zone = text,
            ("authenticated", Value::Truth(truth)) => self.is_authenticated = truth,
            ("explain", Value::Truth(truth)) => *explain = truth,
            ("address", Value::Text(text)) => {
                self.address = Some(text.parse().map_err(|_| bad())?);
            }
            ("method", Value::Text(text)) => {
                self.method = Some(method(&text).ok_or_else(bad)?);
                self.has_method = true;
            }
            ("protocol", Value::Text(text)) => {
                self.protocol = Some(match &*text {
                    "h323" => Protocol::H323,
                    "sip" => Protocol::Sip,
                    _ => return Err(bad()),
                });
            }
            ("type", Value::Text(text)) => {
                self.kind = match &*text {
                    "admin" => Kind::Admin,
                    "registration" => Kind::Registration,
                    "search" => Kind::Search,
                    "user" => Kind::User,
                    _ => return Err(bad()),
                };
            }
            (
                "address" | "alias" | "authenticated" | "call" | "explain" | "method" | "protocol"
                | "source" | "type" | "user" | "zone",
                Value::Text(_) | Value::Truth(_),
            ) => return Err(bad()),
            _ => return Err(BadRequest::Member(name.to_owned())),
        }
        Ok(())
    }
}

impl Request<'_> {
    /// What was dialled, or what is being registered, without `sip:`, `sips:` or `h323:`. Not empty but
    /// for a registration.
    #[must_use]
    pub fn alias(&self) -> &str {
        without_scheme(&self.dialled)
    }

    /// The caller, without a scheme too.
    #[must_use]
    pub fn source(&self) -> &str {
        without_scheme(&self.named_source)
    }
}

fn method(text: &str) -> Option<Method> {
    Some(match text {
        "ARQ" => Method::Arq,
        "INVITE" => Method::Invite,
        "LRQ" => Method::Lrq,
        "OPTIONS" => Method::Options,
        "PUBLISH" => Method::Publish,
        "REGISTER" => Method::Register,
        "SETUP" => Method::Setup,
        "SUBSCRIBE" => Method::Subscribe,
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
