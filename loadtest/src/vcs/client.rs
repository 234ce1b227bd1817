//! One address of a policy service: HTTP or HTTPS, with connections that are kept.

use anyhow::{Context, anyhow, bail};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::str::FromStr;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// An answer that is longer is none.
const ANSWER_MAX: usize = 1 << 20;

/// `http://127.0.0.1:8080` or `https://localhost:8443`: an address of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    is_tls: bool,
    /// As typed, with its port: what the certificate must name, and what Host says.
    authority: String,
    address: SocketAddr,
}

impl FromStr for Url {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (is_tls, authority, port) = if let Some(rest) = text.strip_prefix("http://") {
            (false, rest, 80)
        } else if let Some(rest) = text.strip_prefix("https://") {
            (true, rest, 443)
        } else {
            return Err("write http://HOST:PORT or https://HOST:PORT".into());
        };
        let authority = authority.trim_end_matches('/');
        if authority.contains('/') {
            return Err("the path is an option of its own (--path)".into());
        }
        let has_port = authority
            .rsplit_once(':')
            .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let authority = if has_port {
            authority.to_owned()
        } else {
            format!("{authority}:{port}")
        };
        let addresses = authority.to_socket_addrs();
        let mut addresses = addresses.map_err(|_| format!("{authority} names nobody"))?;
        let address = addresses
            .find(|address| address.ip().is_loopback())
            .ok_or_else(|| {
                format!("{authority} is not this machine: only loopback addresses are asked")
            })?;
        Ok(Self {
            is_tls,
            authority,
            address,
        })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.authority)
    }
}

/// What one request needs beyond its address.
pub(super) struct Ask<'a> {
    pub(super) path: &'a str,
    /// A form to post; without it the request is a GET.
    pub(super) form: Option<String>,
}

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

pub(super) struct Client {
    pub(super) url: Url,
    tls: Option<TlsConnector>,
    authorization: Option<HeaderValue>,
    is_kept: bool,
    idle: RefCell<Vec<SendRequest<Full<Bytes>>>>,
    opened: Cell<u64>,
}

impl Client {
    pub(super) fn new(
        url: Url,
        tls: Option<&TlsConnector>,
        authorization: Option<HeaderValue>,
        is_kept: bool,
    ) -> anyhow::Result<Self> {
        let tls = match (url.is_tls, tls) {
            (true, None) => bail!("{url} needs to know which certificates are good"),
            (true, Some(connector)) => Some(connector.clone()),
            (false, _) => None,
        };
        Ok(Self {
            url,
            tls,
            authorization,
            is_kept,
            idle: RefCell::default(),
            opened: Cell::new(0),
        })
    }

    /// Connections opened so far.
    pub(super) fn opened(&self) -> u64 {
        self.opened.get()
    }

    /// Asks once. A kept connection that the server has closed meanwhile is no failure: another one is opened.
    pub(super) async fn ask(&self, ask: &Ask<'_>) -> anyhow::Result<Answer> {
        while let Some(kept) = self.kept() {
            if let Ok(answer) = self.ask_over(kept, ask).await {
                return Ok(answer);
            }
        }
        let sender = self.open().await?;
        self.ask_over(sender, ask).await
    }

    fn kept(&self) -> Option<SendRequest<Full<Bytes>>> {
        let mut idle = self.idle.borrow_mut();
        std::iter::from_fn(|| idle.pop()).find(|sender| !sender.is_closed())
    }

    async fn open(&self) -> anyhow::Result<SendRequest<Full<Bytes>>> {
        let stream = TcpStream::connect(self.url.address)
            .await
            .context("no connection")?;
        stream.set_nodelay(true)?;
        self.opened.set(self.opened.get() + 1);
        let Some(connector) = &self.tls else {
            return speak(stream).await;
        };
        let host = self
            .url
            .authority
            .rsplit_once(':')
            .map_or("", |(host, _)| host);
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())?;
        let stream = connector.connect(name, stream).await.context("no TLS")?;
        speak(stream).await
    }

    async fn ask_over(
        &self,
        mut sender: SendRequest<Full<Bytes>>,
        ask: &Ask<'_>,
    ) -> anyhow::Result<Answer> {
        sender.ready().await?;
        let response = sender.send_request(self.request(ask)?).await?;
        let answer = read(response).await?;
        if self.is_kept && !sender.is_closed() {
            self.idle.borrow_mut().push(sender);
        }
        Ok(answer)
    }

    fn request(&self, ask: &Ask<'_>) -> anyhow::Result<Request<Full<Bytes>>> {
        let mut request = Request::builder()
            .uri(ask.path)
            .header(HOST, &self.url.authority)
            .header(USER_AGENT, "baton-loadtest");
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        if !self.is_kept {
            request = request.header(hyper::header::CONNECTION, "close");
        }
        let request = match &ask.form {
            None => request.method(Method::GET).body(Full::default()),
            Some(form) => request
                .method(Method::POST)
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(Full::from(form.clone())),
        };
        request.map_err(|error| anyhow!("{}: {error}", ask.path))
    }
}

async fn speak<S>(stream: S) -> anyhow::Result<SendRequest<Full<Bytes>>>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::task::spawn_local(async move {
        // Whoever asked over it hears of its end as of a failed request.
        drop(connection.await);
    });
    Ok(sender)
}

async fn read(response: Response<Incoming>) -> anyhow::Result<Answer> {
    let status = response.status().as_u16();
    let body = Limited::new(response.into_body(), ANSWER_MAX);
    let body = body.collect().await.map_err(|error| anyhow!("{error}"))?;
    Ok(Answer {
        status,
        body: body.to_bytes().to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_asked() {
        let shown = |text: &str| text.parse::<Url>().map(|url| url.to_string());
        assert_eq!(
            shown("http://127.0.0.1:8080/"),
            Ok("http://127.0.0.1:8080".into())
        );
        assert_eq!(
            shown("https://127.0.0.1"),
            Ok("https://127.0.0.1:443".into())
        );
        assert_eq!(shown("http://[::1]:80"), Ok("http://[::1]:80".into()));
        for text in [
            "127.0.0.1:80",
            "http://192.0.2.1",
            "http://127.0.0.1/policy",
            "ftp://127.0.0.1",
        ] {
            assert!(shown(text).is_err(), "{text}");
        }
    }
}
