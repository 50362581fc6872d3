//! The envlock command: see the library for everything that it does.

fn main() -> std::process::ExitCode {
    std::process::ExitCode::from(envlock::run() as u8)
}
