//! The HTTP client of channels and artifacts.
//!
//! Guarantees: credentials are put on the wire here and nowhere else; with `--offline` no socket is
//! opened; a server that is briefly unwell is asked again. It knows no format.

use std::time::Duration;

use rattler_networking::{
    AuthenticationMiddleware, AuthenticationStorage, LazyClient, OfflineMiddleware,
    authentication_storage::backends::netrc::NetRcStorage,
};
use reqwest::{Request, Response};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Middleware, Next};
use reqwest_retry::{RetryTransientMiddleware, policies::ExponentialBackoff};
use url::Url;

/// Server and password rules of one client.
#[derive(Clone, Debug, Default)]
pub struct Network {
    /// Refuse every request.
    pub offline: bool,
    /// Base URLs as everything else knows them, and as they are requested: with credentials.
    pub access: Vec<(Url, Url)>,
}

impl Network {
    /// A client that is only built when it is first needed: TLS costs milliseconds to set up.
    pub fn client(&self) -> LazyClient {
        let network = self.clone();
        LazyClient::new(move || network.build())
    }

    fn build(self) -> ClientWithMiddleware {
        let plain = reqwest::Client::builder()
            .user_agent(concat!("envlock/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(10))
            // Between two pieces of an answer, not for the whole of it: slow links are not errors.
            .read_timeout(Duration::from_secs(30))
            .build()
            .unwrap_or_default();
        let mut builder = ClientBuilder::new(plain);
        if self.offline {
            return builder.with(OfflineMiddleware).build();
        }
        let patience = ExponentialBackoff::builder()
            .retry_bounds(Duration::from_millis(200), Duration::from_secs(3))
            .build_with_max_retries(3);
        builder = builder.with(RetryTransientMiddleware::new_with_policy(patience));
        if let Ok(netrc) = NetRcStorage::from_env() {
            let mut storage = AuthenticationStorage::empty();
            storage.add_backend(std::sync::Arc::new(netrc));
            builder = builder.with(AuthenticationMiddleware::from_auth_storage(storage));
        }
        builder.with(Credentials(self.access)).build()
    }
}

/// Puts a channel's credentials into the URL of a request, last of all, so that nothing before it
/// (caches, retries, messages) ever sees them.
struct Credentials(Vec<(Url, Url)>);

#[async_trait::async_trait]
impl Middleware for Credentials {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut http::Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        let asked = request.url().as_str().to_owned();
        let found =
            self.0.iter().find_map(|(plain, access)| Some((asked.strip_prefix(plain.as_str())?, access)));
        if let Some((rest, access)) = found
            && let Ok(mut url) = access.join(rest)
        {
            if let Some(password) = url.password().map(str::to_owned) {
                // reqwest takes these out of a URL only in its own builder, which is behind us.
                let user = url.username().to_owned();
                let _ = url.set_username("");
                let _ = url.set_password(None);
                let pair = base64::Engine::encode(
                    &base64::engine::general_purpose::STANDARD,
                    format!("{user}:{password}"),
                );
                if let Ok(mut value) = http::HeaderValue::from_str(&format!("Basic {pair}")) {
                    value.set_sensitive(true);
                    request.headers_mut().insert(http::header::AUTHORIZATION, value);
                }
            }
            *request.url_mut() = url;
        }
        next.run(request, extensions).await.map_err(|error| match error {
            // The URL of a failed request would carry the credentials into the message.
            reqwest_middleware::Error::Reqwest(error) => error.without_url().into(),
            middleware @ reqwest_middleware::Error::Middleware(_) => middleware,
        })
    }
}
