//! The HTTP client of channels and artifacts.
//!
//! Guarantees: credentials are put on the wire here and nowhere else; with `--offline` no socket is
//! opened; a server that is briefly unwell is asked again. It knows no format.

use std::{sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderValue, header::AUTHORIZATION};
use rattler_networking::{
    AuthenticationMiddleware, AuthenticationStorage, LazyClient, OfflineMiddleware,
    authentication_storage::backends::netrc::NetRcStorage,
};
use reqwest::{Request, Response};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Middleware, Next};
use reqwest_retry::{RetryTransientMiddleware, policies::ExponentialBackoff};
use url::Url;

use crate::spec::channel::Credentials;

/// Server and password rules of one client.
#[derive(Clone)]
pub struct Network {
    /// Refuse every request.
    pub offline: bool,
    /// Credentials by the base URLs that want them.
    pub access: Vec<(Url, Credentials)>,
    /// Credentials by host, from `~/.netrc`.
    pub netrc: Option<Arc<NetRcStorage>>,
    /// How long to wait for the next piece of an answer, not for the whole of it: slow links are no errors.
    pub patience: Duration,
}

impl Network {
    /// A client that is only built when it is first needed: TLS costs milliseconds to set up.
    pub fn client(&self) -> LazyClient {
        let network = self.clone();
        LazyClient::new(move || network.build(true))
    }

    /// A client for callers that know better when to ask again, and from which byte on.
    pub fn client_without_retries(&self) -> LazyClient {
        let network = self.clone();
        LazyClient::new(move || network.build(false))
    }

    fn build(self, retries: bool) -> ClientWithMiddleware {
        let plain = reqwest::Client::builder()
            .user_agent(concat!("envlock/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(10))
            .read_timeout(self.patience)
            .build()
            .unwrap_or_default();
        let mut builder = ClientBuilder::new(plain);
        if self.offline {
            return builder.with(OfflineMiddleware).build();
        }
        if retries {
            let patience = ExponentialBackoff::builder()
                .retry_bounds(Duration::from_millis(200), Duration::from_secs(3))
                .build_with_max_retries(3);
            builder = builder.with(RetryTransientMiddleware::new_with_policy(patience));
        }
        if let Some(netrc) = self.netrc {
            let mut storage = AuthenticationStorage::empty();
            storage.add_backend(netrc);
            builder = builder.with(AuthenticationMiddleware::from_auth_storage(storage));
        }
        builder.with(Authorize(self.access)).build()
    }
}

/// Puts a channel's credentials into a request, last of all, so that nothing before it (caches,
/// retries, messages) ever sees them.
struct Authorize(Vec<(Url, Credentials)>);

#[async_trait::async_trait]
impl Middleware for Authorize {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut http::Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        let asked = request.url().clone();
        let covers = |(base, _): &&(Url, Credentials)| asked.as_str().starts_with(base.as_str());
        if let Some((_, credentials)) =
            self.0.iter().filter(covers).max_by_key(|(base, _)| base.as_str().len())
        {
            *request.url_mut() = credentials.with_token(&asked);
            if !credentials.user.is_empty() {
                let pair = STANDARD.encode(format!("{}:{}", credentials.user, credentials.password));
                if let Ok(mut value) = HeaderValue::from_str(&format!("Basic {pair}")) {
                    value.set_sensitive(true);
                    request.headers_mut().insert(AUTHORIZATION, value);
                }
            }
        }
        next.run(request, extensions).await.map_err(|error| match error {
            // The URL of a failed request would carry the token into the message.
            reqwest_middleware::Error::Reqwest(error) => error.with_url(asked).into(),
            middleware @ reqwest_middleware::Error::Middleware(_) => middleware,
        })
    }
}
