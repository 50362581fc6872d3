//! What needs what within one locked environment.

use std::collections::{BTreeMap, VecDeque};

use super::model::{Kind, Package};
use crate::spec::name_map::{normalised, pypi_name};

/// A package as its place in the list of packages, and the requirement that it has to meet there, such as `>=1.2`; empty
/// if any version will do.
pub type Need<'a> = (usize, &'a str);

/// The packages of an environment, and what leads from one to the other.
pub struct Graph<'a> {
    packages: &'a [Package],
    needs: Vec<Vec<Need<'a>>>,
    needed_by: Vec<Vec<Need<'a>>>,
    /// Package → the requirements of the environment file that name it.
    roots: BTreeMap<usize, Vec<&'a str>>,
}

impl<'a> Graph<'a> {
    /// Reads the dependencies of packages, and the requirements as [`super::stated_specs`] states them.
    pub fn new(packages: &'a [Package], specs: &'a [String]) -> Self {
        let index = Index::new(packages);
        let mut needs = vec![Vec::new(); packages.len()];
        let mut needed_by = vec![Vec::new(); packages.len()];
        for (by, package) in packages.iter().enumerate() {
            for (name, requirement) in &package.dependencies {
                let Some(needed) = index.find(package.kind.manager(), name) else { continue };
                let requirement = if requirement == "*" { "" } else { requirement.as_str() };
                needs[by].push((needed, requirement));
                needed_by[needed].push((by, requirement));
            }
        }
        let mut roots: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
        for spec in specs {
            if let Some(package) = index.asked_for(spec) {
                roots.entry(package).or_default().push(spec);
            }
        }
        let mut graph = Self { packages, needs, needed_by, roots };
        graph.find_unnamed_roots();
        graph
    }

    /// Makes roots of what no named requirement leads to: requirements that are files or repositories.
    fn find_unnamed_roots(&mut self) {
        let mut reached = vec![false; self.packages.len()];
        let mut open: Vec<usize> = self.roots.keys().copied().collect();
        // What is left when all that nothing needs are roots is a circle: its first stands for it.
        let (alone, needed): (Vec<_>, Vec<_>) =
            (0..self.packages.len()).partition(|it| self.needed_by[*it].is_empty());
        let mut candidates = alone.into_iter().chain(needed);
        loop {
            while let Some(package) = open.pop() {
                if !std::mem::replace(&mut reached[package], true) {
                    open.extend(self.needs[package].iter().map(|(needed, _)| *needed));
                }
            }
            let Some(unnamed) = candidates.find(|it| !reached[*it]) else { return };
            self.roots.insert(unnamed, Vec::new());
            open.push(unnamed);
        }
    }

    /// The package at a place.
    pub fn package(&self, place: usize) -> &'a Package {
        &self.packages[place]
    }

    /// The packages of a name, however it is spelled: one that conda installs, one of PyPI, or both.
    pub fn find(&self, name: &str) -> Vec<usize> {
        let wanted = normalised(name);
        (0..self.packages.len()).filter(|it| normalised(&self.packages[*it].name) == wanted).collect()
    }

    /// What the environment file asks for, with the requirements that name it: none for a file or a repository.
    pub fn roots(&self) -> impl Iterator<Item = (usize, &[&'a str])> {
        self.roots.iter().map(|(package, specs)| (*package, specs.as_slice()))
    }

    /// The requirements that name a package; `None` if it is there because others need it.
    pub fn asked_for(&self, package: usize) -> Option<&[&'a str]> {
        self.roots.get(&package).map(Vec::as_slice)
    }

    /// What a package needs, by name.
    pub fn needs(&self, package: usize) -> &[Need<'a>] {
        &self.needs[package]
    }

    /// What needs a package, by name.
    pub fn needed_by(&self, package: usize) -> &[Need<'a>] {
        &self.needed_by[package]
    }

    /// All packages, each after what it needs as far as there is no circle; by name otherwise.
    pub fn needs_first(&self) -> Vec<usize> {
        let mut order = Vec::with_capacity(self.packages.len());
        let mut seen = vec![false; self.packages.len()];
        for first in 0..self.packages.len() {
            // A package is on the stack twice: before what it needs, and after it.
            let mut open = vec![(first, false)];
            while let Some((package, is_ready)) = open.pop() {
                if is_ready {
                    order.push(package);
                } else if !std::mem::replace(&mut seen[package], true) {
                    open.push((package, true));
                    open.extend(self.needs[package].iter().rev().map(|(needed, _)| (*needed, false)));
                }
            }
        }
        order
    }

    /// The shortest way to a package from every root that leads to it; the shortest ones first. Each step has the
    /// requirement that the step before it states.
    pub fn chains(&self, target: usize) -> Vec<Vec<Need<'a>>> {
        // From the target backwards: the next step towards it, for all that lead to it.
        let mut next: BTreeMap<usize, Option<Need>> = BTreeMap::from([(target, None)]);
        let mut open = VecDeque::from([target]);
        while let Some(package) = open.pop_front() {
            for (by, requirement) in &self.needed_by[package] {
                if !next.contains_key(by) {
                    next.insert(*by, Some((package, requirement)));
                    open.push_back(*by);
                }
            }
        }
        let chain = |root: &usize| {
            let first = next.contains_key(root).then_some((*root, ""));
            let chain: Vec<_> = std::iter::successors(first, |(package, _)| next[package]).collect();
            (!chain.is_empty()).then_some(chain)
        };
        let mut chains: Vec<_> = self.roots.keys().filter_map(chain).collect();
        chains.sort_by_key(Vec::len);
        chains
    }
}

/// The packages by what requirements call them.
struct Index<'a> {
    packages: &'a [Package],
    by_name: BTreeMap<(&'static str, &'a str), usize>,
    /// conda packages by their names on PyPI.
    on_pypi: BTreeMap<String, usize>,
}

impl<'a> Index<'a> {
    fn new(packages: &'a [Package]) -> Self {
        let by_name = packages.iter().enumerate().map(|(it, package)| (key(package), it)).collect();
        let conda = packages.iter().enumerate().filter(|(_, package)| package.kind == Kind::Conda);
        let on_pypi = conda.map(|(it, package)| (normalised(pypi_name(&package.name)), it)).collect();
        Self { packages, by_name, on_pypi }
    }

    /// What answers to a name. A requirement of PyPI may be met by what conda has installed.
    fn find(&self, manager: &'static str, name: &str) -> Option<usize> {
        let of_conda = || (manager != Kind::Conda.manager()).then(|| self.on_pypi.get(name)).flatten();
        self.by_name.get(&(manager, name)).or_else(of_conda).copied()
    }

    /// The package that a stated requirement names.
    fn asked_for(&self, spec: &str) -> Option<usize> {
        if let Some(line) = spec.strip_prefix("pip: ") {
            let end =
                line.find(|c: char| !c.is_ascii_alphanumeric() && !"-_.".contains(c)).unwrap_or(line.len());
            let (name, rest) = line.split_at(end);
            // `git+https://…` and `wheels/a.whl` begin with no name.
            let is_name =
                rest.is_empty() || rest.starts_with([' ', '[', '(', '<', '>', '=', '!', '~', ';', '@']);
            return self.find(Kind::Wheel.manager(), &normalised(name)).filter(|_| is_name);
        }
        if spec.contains("://") {
            let file = spec.rsplit('/').next().unwrap_or_default();
            let file = file.split('#').next().unwrap_or_default();
            return self.packages.iter().position(|package| package.file_name() == file);
        }
        let name = spec.rsplit("::").next().unwrap_or(spec);
        let end = name.find([' ', '=', '<', '>', '!', '~', '[', ',']).unwrap_or(name.len());
        self.find(Kind::Conda.manager(), &name[..end].to_lowercase())
    }
}

fn key(package: &Package) -> (&'static str, &str) {
    (package.kind.manager(), &package.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock::model::tests::package;

    fn wheel(name: &str, dependencies: &[&str]) -> Package {
        Package { kind: Kind::Wheel, ..package(name, dependencies) }
    }

    /// Chains as `a > b`.
    fn chains(packages: &[Package], specs: &[&str], target: &str) -> Vec<String> {
        let specs: Vec<String> = specs.iter().map(|spec| (*spec).to_owned()).collect();
        let graph = Graph::new(packages, &specs);
        let target = graph.find(target)[0];
        let names = |chain: Vec<Need>| {
            let names: Vec<_> = chain.iter().map(|(it, _)| graph.package(*it).name.as_str()).collect();
            names.join(" > ")
        };
        graph.chains(target).into_iter().map(names).collect()
    }

    #[test]
    fn the_shortest_way_from_every_root() {
        let packages =
            [package("a", &["b", "d"]), package("b", &["c"]), package("c", &["d"]), package("d", &["a"])];
        assert_eq!(chains(&packages, &["a", "b=1.0"], "d"), ["a > d", "b > c > d"]);
        assert_eq!(chains(&packages, &["channel::a >=1"], "a"), ["a"]);
    }

    #[test]
    fn conda_answers_for_pypi() {
        let packages = [package("pytorch", &["mkl"]), package("mkl", &[]), wheel("lightning", &["torch"])];
        assert_eq!(
            chains(&packages, &["pytorch", "pip: Lightning[extra]>=2"], "mkl"),
            ["pytorch > mkl", "lightning > pytorch > mkl"]
        );
    }

    #[test]
    fn what_no_name_leads_to_is_a_root() {
        let packages = [package("a", &["b"]), package("b", &["a"]), wheel("c", &["d"]), wheel("d", &[])];
        let specs = ["pip: git+https://h/c.git".to_owned(), "pip: ./d-1.0.whl".to_owned()];
        let graph = Graph::new(&packages, &specs);
        let roots: Vec<_> =
            graph.roots().map(|(it, specs)| (graph.package(it).name.as_str(), specs.len())).collect();
        assert_eq!(roots, [("a", 0), ("c", 0)]);
    }

    #[test]
    fn what_is_needed_comes_first() {
        let packages =
            [package("a", &["c", "b"]), package("b", &["c"]), package("c", &["a"]), package("d", &[])];
        let graph = Graph::new(&packages, &[]);
        let names: Vec<_> = graph.needs_first().into_iter().map(|it| packages[it].name.as_str()).collect();
        assert_eq!(names, ["c", "b", "a", "d"]);
    }

    #[test]
    fn a_package_of_a_url_is_asked_for() {
        let packages = [package("a", &[]), package("b", &[])];
        let specs = ["https://h/c/linux-64/b-1.0-h0_0.conda#0123".to_owned()];
        let graph = Graph::new(&packages, &specs);
        assert_eq!(graph.asked_for(1), Some([specs[0].as_str()].as_slice()));
    }

    #[test]
    fn names_are_found_however_they_are_spelled() {
        let packages = [package("flask-appbuilder", &[])];
        assert_eq!(Graph::new(&packages, &[]).find("Flask_AppBuilder"), [0]);
        assert!(Graph::new(&packages, &[]).find("flask").is_empty());
    }
}
