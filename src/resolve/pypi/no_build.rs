//! uv's build context, for a resolution that never builds: every sdist's metadata is supplied.
//!
//! uv asks a context for an interpreter only to build. None is ever made here, because making one means
//! running a Python, and the target's is not installed.

use std::{
    future::Future,
    path::{Path, PathBuf},
};

use uv_cache::Cache;
use uv_configuration::{BuildKind, BuildOptions, BuildOutput, NoSources};
use uv_distribution_filename::DistFilename;
use uv_distribution_types::{
    CachedDist, ConfigSettings, DependencyMetadata, ExtraBuildRequires, ExtraBuildVariables,
    IndexCapabilities, IndexLocations, IsBuildBackendError, PackageConfigSettings, Requirement, SourceDist,
};
use uv_git::GitResolver;
use uv_python::{Interpreter, PythonEnvironment};
use uv_types::{
    AnyErrorBuild, BuildArena, BuildContext, BuildIsolation, BuildStack, ResolvedRequirements,
    SourceBuildTrait,
};
use uv_workspace::WorkspaceCache;

/// The answer to every attempt to build.
#[derive(Debug, thiserror::Error)]
#[error("a package would have to be built to be resolved")]
pub(super) struct Refused;

impl uv_errors::Hint for Refused {}

impl IsBuildBackendError for Refused {
    fn is_build_backend_error(&self) -> bool {
        false
    }
}

/// A build that is never begun.
pub(super) struct NeverBuilt;

impl SourceBuildTrait for NeverBuilt {
    async fn metadata(&mut self) -> Result<Option<PathBuf>, AnyErrorBuild> {
        Ok(None)
    }

    async fn wheel<'a>(&'a self, _: &'a Path) -> Result<String, AnyErrorBuild> {
        // No value of this type is ever made: `setup_build` refuses.
        std::future::pending().await
    }
}

/// See the module.
pub(super) struct NoBuild {
    pub(super) cache: Cache,
    pub(super) locations: IndexLocations,
    pub(super) build_options: BuildOptions,
    pub(super) git: GitResolver,
    pub(super) capabilities: IndexCapabilities,
    arena: BuildArena<NeverBuilt>,
    dependency_metadata: DependencyMetadata,
    config_settings: ConfigSettings,
    config_settings_package: PackageConfigSettings,
    sources: NoSources,
    workspace_cache: WorkspaceCache,
    extra_build_requires: ExtraBuildRequires,
    extra_build_variables: ExtraBuildVariables,
}

impl NoBuild {
    pub(super) fn new(cache: Cache, locations: IndexLocations, build_options: BuildOptions) -> Self {
        Self {
            cache,
            locations,
            build_options,
            git: GitResolver::default(),
            capabilities: IndexCapabilities::default(),
            arena: BuildArena::default(),
            dependency_metadata: DependencyMetadata::default(),
            config_settings: ConfigSettings::default(),
            config_settings_package: PackageConfigSettings::default(),
            sources: NoSources::All,
            workspace_cache: WorkspaceCache::default(),
            extra_build_requires: ExtraBuildRequires::default(),
            extra_build_variables: ExtraBuildVariables::default(),
        }
    }
}

impl BuildContext for NoBuild {
    type SourceDistBuilder = NeverBuilt;

    fn interpreter(&self) -> impl Future<Output = &Interpreter> + '_ {
        // Reached only by a build, and every build is refused before.
        std::future::pending()
    }
    fn cache(&self) -> &Cache {
        &self.cache
    }
    fn git(&self) -> &GitResolver {
        &self.git
    }
    fn build_arena(&self) -> &BuildArena<NeverBuilt> {
        &self.arena
    }
    fn capabilities(&self) -> &IndexCapabilities {
        &self.capabilities
    }
    fn dependency_metadata(&self) -> &DependencyMetadata {
        &self.dependency_metadata
    }
    fn build_options(&self) -> &BuildOptions {
        &self.build_options
    }
    fn build_isolation(&self) -> BuildIsolation<'_> {
        BuildIsolation::Isolated
    }
    fn config_settings(&self) -> &ConfigSettings {
        &self.config_settings
    }
    fn config_settings_package(&self) -> &PackageConfigSettings {
        &self.config_settings_package
    }
    fn sources(&self) -> &NoSources {
        &self.sources
    }
    fn locations(&self) -> &IndexLocations {
        &self.locations
    }
    fn workspace_cache(&self) -> &WorkspaceCache {
        &self.workspace_cache
    }
    fn extra_build_requires(&self) -> &ExtraBuildRequires {
        &self.extra_build_requires
    }
    fn extra_build_variables(&self) -> &ExtraBuildVariables {
        &self.extra_build_variables
    }
    async fn resolve<'a>(
        &'a self,
        _: &'a [Requirement],
        _: &'a BuildStack,
    ) -> Result<ResolvedRequirements, impl IsBuildBackendError> {
        Err::<ResolvedRequirements, _>(Refused)
    }
    async fn install<'a>(
        &'a self,
        _: &'a ResolvedRequirements,
        _: &'a PythonEnvironment,
        _: &'a BuildStack,
    ) -> Result<Vec<CachedDist>, impl IsBuildBackendError> {
        Err::<Vec<CachedDist>, _>(Refused)
    }
    async fn setup_build<'a>(
        &'a self,
        _: &'a Path,
        _: Option<&'a Path>,
        _: &'a Path,
        _: Option<&'a Path>,
        _: Option<&'a str>,
        _: Option<&'a SourceDist>,
        _: &'a NoSources,
        _: BuildKind,
        _: BuildOutput,
        _: BuildStack,
    ) -> Result<NeverBuilt, impl IsBuildBackendError> {
        Err(Refused)
    }
    async fn direct_build<'a>(
        &'a self,
        _: &'a Path,
        _: Option<&'a Path>,
        _: &'a Path,
        _: NoSources,
        _: BuildKind,
        _: Option<&'a str>,
    ) -> Result<Option<DistFilename>, impl IsBuildBackendError> {
        Err::<Option<DistFilename>, _>(Refused)
    }
}
