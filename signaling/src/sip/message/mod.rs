//! The message layer: what a SIP message says, without copying it (RFC 3261 §7).
//!
//! [`Index`] reads the bytes of one message once and remembers where everything is; [`Message`] is
//! the view on bytes and index together. Values with a grammar of their own ([`Uri`], [`Via`],
//! [`NameAddr`], ...) are read when asked for. [`Writer`] writes a message into a buffer of the
//! caller's, [`Framer`] cuts a stream into messages. Nothing here allocates per message, except
//! the framer's own buffer; nothing here knows a status code, a transaction or a clock.

mod fault;
mod first_look;
mod found;
mod framer;
mod gist;
mod index;
mod line;

mod method;
mod name;
mod scan;
mod start_line;
mod value;
mod view;
mod writer;

pub use fault::Fault;
pub use first_look::is_new_invite;
pub use framer::{Frame, Framer, StreamFault};
pub(crate) use gist::Gist;
pub use index::{Framing, Index, Limits};
pub use method::Method;
pub use name::HeaderName;
pub use value::auth::{AuthParams, Challenge, Credentials, unescape};
pub use value::cseq::Cseq;
pub use value::fault::ValueFault;
pub use value::list::Values;
pub use value::media_type::MediaType;
pub use value::name_addr::NameAddr;
pub use value::params::{Iter as ParamsIter, Param, Params};
pub use value::percent::{percent_decode, percent_decoded};
pub use value::rack::{Rack, Rseq};
pub use value::refer_to::{ReferTo, Replaces, TargetDialog};
pub use value::retry_after::RetryAfter;
pub use value::session_timer::{MinSe, Refresher, SessionExpires};
pub use value::token_value::TokenValue;
pub use value::uri::{Scheme, Uri};
pub use value::via::Via;
pub use view::{Line, Message};
pub use writer::{Full, Writer};
