//! Airflow as it is locked: the versions that decide how it is started.

use crate::spec::Error;

/// What a user environment has of Airflow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Software {
    /// Airflow's version, as far as it decides: 2.11.
    airflow: (u32, u32),
    /// Flower's first number, if there is Flower.
    flower: Option<u32>,
    /// Whether there are users with passwords in Airflow 3.
    has_fab: bool,
    /// Whether there is Celery, and what Airflow needs to use it.
    has_celery: bool,
}

impl Software {
    /// Reads it from the names and versions of an environment's packages; `None` without Airflow.
    pub fn of<'a>(packages: impl IntoIterator<Item = (&'a str, &'a str)>) -> Option<Self> {
        let (mut airflow, mut flower, mut has_fab, mut celery, mut provider) =
            (None, None, false, false, false);
        for (name, version) in packages {
            match name {
                "apache-airflow" | "airflow" | "apache-airflow-core" => {
                    airflow = airflow.max(numbers(version));
                }
                "flower" => flower = numbers(version).map(|(first, _)| first),
                "apache-airflow-providers-fab" => has_fab = true,
                "apache-airflow-providers-celery" => provider = true,
                "celery" => celery = true,
                _ => {}
            }
        }
        let airflow = airflow?;
        Some(Self { airflow, flower, has_fab, has_celery: celery && (provider || airflow < (2, 0)) })
    }

    /// Whether it runs as a cluster.
    pub(super) fn check(&self) -> Result<(), Error> {
        let (major, minor) = self.airflow;
        if self.airflow != (1, 10) && !matches!(major, 2 | 3) {
            return Err(Error::usage(
                format!("Airflow {major}.{minor} is locked, whose services are not known"),
                "lock 1.10, 2 or 3, or write the services of the roles yourself, without `airflow:`",
            ));
        }
        if !self.has_celery {
            return Err(Error::usage(
                format!("Airflow {major}.{minor} is locked without Celery"),
                "write `apache-airflow[celery,postgres,redis]` in the `pip:` section",
            ));
        }
        if self.is_3() && !self.has_fab {
            return Err(Error::usage(
                "Airflow 3 is locked without apache-airflow-providers-fab, which has users with passwords",
                "write `apache-airflow[celery,fab,postgres,redis]` in the `pip:` section",
            ));
        }
        Ok(())
    }

    /// Whether it is Airflow 1.
    pub(super) fn is_1(&self) -> bool {
        self.airflow.0 == 1
    }

    /// Whether it is Airflow 3.
    pub(super) fn is_3(&self) -> bool {
        self.airflow.0 == 3
    }

    /// Whether it is this version or a newer one.
    pub(super) fn is_from(&self, major: u32, minor: u32) -> bool {
        self.airflow >= (major, minor)
    }

    /// Whether there is Flower.
    pub(super) fn has_flower(&self) -> bool {
        self.flower.is_some()
    }

    /// Whether Flower answers below the prefix that it is told, as it does from 1.0 on; before that it only writes links so.
    pub(super) fn flower_knows_its_prefix(&self) -> bool {
        self.flower.is_some_and(|first| first > 0)
    }
}

/// The first two numbers of a version.
fn numbers(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.');
    let first = parts.next()?.parse().ok()?;
    let digits = |part: &str| part.chars().take_while(char::is_ascii_digit).collect::<String>();
    Some((first, parts.next().and_then(|part| digits(part).parse().ok()).unwrap_or(0)))
}
