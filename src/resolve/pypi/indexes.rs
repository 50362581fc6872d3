//! The indexes of an environment, and the client that reads them.

use url::Url;
use uv_cache::Cache;
use uv_client::{BaseClientBuilder, Connectivity, RegistryClient, RegistryClientBuilder};
use uv_distribution_types::{Index, IndexLocations, IndexUrl, PYPI_URL};
use uv_pep508::VerbatimUrl;

use super::{
    super::{Error, read_from},
    PypiResolver,
    requirements::{self, Wanted},
};

impl PypiResolver<'_> {
    /// The indexes of an environment: PyPI, unless its lines say otherwise.
    pub(super) fn locations(&self, wanted: &Wanted) -> Result<IndexLocations, Error> {
        let index = |index: &requirements::Index| {
            let mut url = read_from(&index.url, self.mirrors);
            if url == index.url {
                url = read_from(&crate::spec::channel::slashed(index.url.clone()), self.mirrors);
            }
            if let Some(credentials) = index.remote.as_ref().and_then(|remote| remote.credentials.as_ref()) {
                // Only URLs without a host take none, and those are refused below.
                let _ = url.set_username(&credentials.user);
                let _ = url.set_password(
                    Some(&credentials.password).filter(|it| !it.is_empty()).map(String::as_str),
                );
            }
            IndexUrl::parse(url.as_str().trim_end_matches('/'), None)
                .map_err(|error| Error::index(index.url.as_str(), &crate::causes::chain(&error)))
        };
        let pypi = || -> Result<requirements::Index, Error> {
            let url =
                Url::parse(PYPI_URL.as_str()).map_err(|error| Error::index("PyPI", &error.to_string()))?;
            Ok(requirements::Index { url, remote: None })
        };
        let mut indexes = Vec::new();
        for extra in &wanted.extra_indexes {
            indexes.push(Index::from_extra_index_url(index(extra)?));
        }
        let main = match &wanted.index {
            Some(main) => index(main)?,
            None => index(&pypi()?)?,
        };
        indexes.push(Index::from_index_url(main));
        let links = wanted.find_links.iter().map(|it| Ok(Index::from_find_links(index(it)?)));
        Ok(IndexLocations::new(indexes, links.collect::<Result<_, Error>>()?, wanted.no_index))
    }

    pub(super) async fn open_cache(&self) -> Result<Cache, Error> {
        let cache = Cache::from_path(self.cache.join("pypi")).init().await;
        cache.map_err(|error| Error::Cache { reason: crate::causes::chain(&error) })
    }

    /// A client of indexes that keeps what it reads in `cache`.
    pub(super) fn client(
        &self,
        cache: Cache,
        locations: IndexLocations,
        connectivity: Connectivity,
    ) -> Result<RegistryClient, Error> {
        // The certificates that the machine trusts, as for channels.
        let base = BaseClientBuilder::default()
            .with_system_certs(true)
            .connectivity(connectivity)
            .read_timeout(self.patience);
        let client = RegistryClientBuilder::new(base, cache).index_locations(locations).build();
        client.map_err(|error| Error::index("PyPI", &crate::causes::chain(&error)))
    }
}

/// The index that everything comes from unless another one has it.
pub(super) fn main_index(locations: &IndexLocations) -> IndexUrl {
    let found = locations.default_index().map(|index| index.url().clone());
    found.unwrap_or_else(|| IndexUrl::from(VerbatimUrl::from_url(PYPI_URL.clone())))
}

/// The URL without user and password.
pub(super) fn without_credentials(url: &Url) -> Url {
    let mut url = url.clone();
    // Fails only for URLs that cannot have any.
    let _ = url.set_username("").and_then(|()| url.set_password(None));
    url
}
