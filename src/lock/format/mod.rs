//! The files that a lock is written to and read from.

pub mod conda_lock;
pub mod nix;
mod nix_roles;
mod nix_value;
