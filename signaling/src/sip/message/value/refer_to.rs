//! Names of dialogs and of what to call: Refer-To, Replaces, Target-Dialog (RFC 3515, RFC 3891,
//! RFC 4538).

use super::ValueFault;
use super::name_addr::NameAddr;
use super::params::Params;
use super::percent;
use super::uri::Uri;
use crate::sip::message::Method;
use crate::sip::message::scan::{self, Cursor, LWS};

/// The value of Replaces: the dialog that an INVITE takes the place of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replaces<'a> {
    /// Its Call-ID.
    pub call_id: &'a [u8],
    /// Its local tag at the receiver.
    pub to_tag: &'a [u8],
    /// Its remote tag at the receiver.
    pub from_tag: &'a [u8],
    /// Whether it must not be answered yet.
    pub early_only: bool,
}

impl<'a> Replaces<'a> {
    /// Reads a value.
    ///
    /// # Errors
    /// [`ValueFault::Param`] or [`ValueFault::ParamMissing`] unless each tag is there once
    /// (RFC 3891 §6.1).
    pub fn parse(value: &'a [u8]) -> Result<Self, ValueFault> {
        let (call_id, params) = call_id_and_params(value)?;
        Ok(Self {
            call_id,
            to_tag: tag(&params, "to-tag")?,
            from_tag: tag(&params, "from-tag")?,
            early_only: params.get("early-only").is_some(),
        })
    }
}

/// The value of Target-Dialog: the dialog that authorises a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TargetDialog<'a> {
    /// Its Call-ID.
    pub call_id: &'a [u8],
    /// Its local tag at the sender.
    pub local_tag: &'a [u8],
    /// Its remote tag at the sender.
    pub remote_tag: &'a [u8],
}

impl<'a> TargetDialog<'a> {
    /// Reads a value.
    ///
    /// # Errors
    /// As [`Replaces::parse`].
    pub fn parse(value: &'a [u8]) -> Result<Self, ValueFault> {
        let (call_id, params) = call_id_and_params(value)?;
        Ok(Self {
            call_id,
            local_tag: tag(&params, "local-tag")?,
            remote_tag: tag(&params, "remote-tag")?,
        })
    }
}

/// The value of Refer-To: whom to call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReferTo<'a> {
    /// The address as it stands.
    pub address: NameAddr<'a>,
    /// Its URI.
    pub uri: Uri<'a>,
    /// With which method: INVITE unless the URI says otherwise.
    pub method: Method,
}

impl<'a> ReferTo<'a> {
    /// Reads a value.
    ///
    /// # Errors
    /// Whatever [`NameAddr::parse`] and [`Uri::parse`] say.
    pub fn parse(value: &'a [u8]) -> Result<Self, ValueFault> {
        let address = NameAddr::parse(value)?;
        let uri = Uri::parse(address.uri)?;
        let method = uri
            .param("method")
            .flatten()
            .map_or(Method::Invite, Method::from_bytes);
        Ok(Self {
            address,
            uri,
            method,
        })
    }

    /// The Replaces among the headers of the URI, still escaped: write it out with
    /// [`percent_decode`](crate::sip::message::percent_decode), then read it as [`Replaces`].
    #[must_use]
    pub fn replaces(&self) -> Option<&'a [u8]> {
        self.uri
            .headers
            .split(|byte| *byte == b'&')
            .find_map(|header| {
                let (name, value) = header.split_at_checked(scan::find(header, b'=')?)?;
                percent::eq_ignore_case(name, "Replaces")
                    .then(|| value.get(1..))
                    .flatten()
            })
    }
}

fn call_id_and_params(value: &[u8]) -> Result<(&[u8], Params<'_>), ValueFault> {
    let mut cursor = Cursor::new(scan::trim(value));
    let end = scan::find(cursor.rest, b';').unwrap_or(cursor.rest.len());
    let call_id = scan::trim(cursor.cut(end));
    if call_id.is_empty() {
        return Err(ValueFault::Empty);
    }
    if call_id
        .iter()
        .any(|byte| scan::is(*byte, LWS) || *byte == b',')
    {
        return Err(ValueFault::Character);
    }
    Ok((call_id, Params::parse(cursor.rest)?))
}

fn tag<'a>(params: &Params<'a>, name: &str) -> Result<&'a [u8], ValueFault> {
    if params.count(name) > 1 {
        return Err(ValueFault::Param);
    }
    let tag = params.get(name).flatten().ok_or(ValueFault::ParamMissing)?;
    if tag.is_empty() {
        Err(ValueFault::Param)
    } else {
        Ok(tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_dialog_has_two_tags() {
        let replaces =
            Replaces::parse(b"98732@a ; from-tag=r33\r\n ;To-Tag=ff87;early-only").unwrap();
        assert_eq!(replaces.call_id, b"98732@a");
        assert_eq!(
            (replaces.to_tag, replaces.from_tag),
            (&b"ff87"[..], &b"r33"[..])
        );
        assert!(replaces.early_only);
        for text in [
            "",
            "a",
            "a;to-tag=1",
            "a;to-tag=1;from-tag=",
            "a;to-tag=1;to-tag=2;from-tag=3",
            ";to-tag=1;from-tag=2",
            "a b;to-tag=1;from-tag=2",
            "a;to-tag=1;from-tag=2,b;to-tag=1;from-tag=2",
        ] {
            assert!(Replaces::parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_target_dialog_has_two_tags() {
        let target =
            TargetDialog::parse(b"fa77as7dad8-sd98ajzz@a;local-tag=6472;remote-tag=7743").unwrap();
        assert_eq!(
            (target.local_tag, target.remote_tag),
            (&b"6472"[..], &b"7743"[..])
        );
        assert_eq!(
            TargetDialog::parse(b"a;local-tag=1"),
            Err(ValueFault::ParamMissing)
        );
    }

    #[test]
    fn a_refer_may_carry_a_replaces() {
        let refer = ReferTo::parse(
            b"<sip:c@d;method=INVITE?Accept-Contact=x&Replaces=1%40d%3Bto-tag%3D5%3Bfrom-tag%3D6>",
        )
        .unwrap();
        assert_eq!(refer.method, Method::Invite);
        let mut buffer = [0; 64];
        let text = percent::percent_decode(refer.replaces().unwrap(), &mut buffer).unwrap();
        let replaces = Replaces::parse(text).unwrap();
        assert_eq!(
            (replaces.call_id, replaces.to_tag),
            (&b"1@d"[..], &b"5"[..])
        );
        let refer = ReferTo::parse(b"sip:c@d").unwrap();
        assert_eq!((refer.method, refer.replaces()), (Method::Invite, None));
        assert!(ReferTo::parse(b"<c>").is_err());
    }
}
