//! `cargo xtask test`: the one command for all tests.

use crate::Failure;
use crate::clients;
use crate::full_disk;
use crate::run::{Tally, cargo, run, run_tests};
use crate::tools::{check_for_everything, check_for_proxy, check_for_rust};

/// Runs every test there is. What is missing is named at the start, before anything is built.
pub(crate) fn all() -> Result<(), Failure> {
    check_for_everything()?;
    clients::fetch()?;
    // The binary too; other selections of packages would build parts of it with other features, and again.
    run(&mut cargo(&["test", "--workspace", "--no-run"]))?;
    let mut tally = rust()?;
    let of_clients = clients::test()?;
    let clients_passed = format!("clients: {of_clients}");
    tally += of_clients;
    tally += guard()?;
    tally += proxy()?;
    let left_out = full_disk::obstacle()?;
    if left_out.is_none() {
        tally += full_disk::test()?;
    }
    println!("\n{clients_passed}");
    // The one part that asks something of the machine that no package brings; `soak` insists on it.
    if let Some(obstacle) = left_out {
        println!("full disk: left out; {obstacle}");
    }
    tally.close()
}

/// Runs one part.
pub(crate) fn only(part: &str) -> Result<(), Failure> {
    check_for_rust()?;
    let tally = match part {
        "rust" => rust()?,
        "clients" => {
            clients::fetch()?;
            run(&mut cargo(&["build", "--package", "darkroom"]))?;
            clients::test()?
        }
        "kill" => kill()?,
        "guard" => {
            clients::fetch()?;
            guard()?
        }
        "proxy" => {
            check_for_proxy()?;
            proxy()?
        }
        "full-disk" => full_disk::test()?,
        "libaom" => libaom()?,
        _ => {
            return Err(format!(
                "no such part: '{part}', expected rust, clients, kill, guard, proxy, full-disk or libaom"
            )
            .into());
        }
    };
    tally.close()
}

/// Kills the server at random moments and looks at what stands; `cargo test` runs it too, with few rounds.
fn kill() -> Result<Tally, Failure> {
    run_tests(&mut cargo(&["test", "--workspace", "--test", "kill"]))
}

fn rust() -> Result<Tally, Failure> {
    run_tests(&mut cargo(&["test", "--workspace", "--no-fail-fast"]))
}

/// The guard needs the npm client, so `cargo test` alone leaves it out.
fn guard() -> Result<Tally, Failure> {
    let mut command = cargo(&["test", "--workspace", "--test", "guard", "--", "--ignored"]);
    run_tests(clients::with_environment(&mut command))
}

/// The other encoder of AVIF needs cmake, nasm and perl, so that it is a feature, and no part of all tests.
fn libaom() -> Result<Tally, Failure> {
    let features = ["test", "--package", "darkroom-transform", "--features", "libaom"];
    run_tests(cargo(&features).args(["--test", "avif"]))
}

/// The test behind nginx needs nginx, so `cargo test` alone leaves it out.
fn proxy() -> Result<Tally, Failure> {
    run_tests(&mut cargo(&["test", "--workspace", "--test", "proxy", "--", "--ignored"]))
}

/// Makes docs/options.md and its pictures anew.
pub(crate) fn golden() -> Result<(), Failure> {
    let mut command = cargo(&["test", "--package", "darkroom", "--test", "outside", "golden"]);
    run(command.env("UPDATE_GENERATED", "1"))?;
    println!("\nlook at every picture that changed: git diff --stat docs/options");
    Ok(())
}
