//! `cargo xtask bench deliver` and `cached`: renderings, against other programs (benches/deliver/README.md).

use std::fs;
use std::path::{Path, PathBuf};

use crate::Failure;
use crate::run::{cargo, program, root, run, target};

/// Debian's packages of photographs: large, free, and the same everywhere.
const WALLPAPERS: [&str; 2] = ["lomiri-wallpapers-20.04", "mate-backgrounds"];

/// Measures kept renditions against nginx, and writes docs/performance.md. Needs Node, apt, nginx and wrk.
pub(crate) fn cached() -> Result<(), Failure> {
    let folder = target().join("bench");
    fs::create_dir_all(&folder)?;
    run(&mut cargo(&["build", "--release", "--package", "darkroom"]))?;
    let home = install_npm(&folder)?;
    let sources = make_sources(&folder, &home)?;
    let mut bench = program("node");
    bench.arg(home.join("cached.mjs")).arg(target().join("release/darkroom"));
    run(bench.arg(sources).arg(root().join("docs")))
}

/// Measures renderings, and writes docs/performance.md. Needs Node, Python, apt, and cmake, nasm and perl for libaom;
/// fetches the rest.
pub(crate) fn deliver() -> Result<(), Failure> {
    let folder = target().join("bench");
    fs::create_dir_all(&folder)?;
    run(&mut cargo(&["build", "--release", "--package", "darkroom"]))?;
    let libaom = folder.join("libaom");
    let features = ["build", "--release", "--package", "darkroom", "--features", "libaom", "--target-dir"];
    run(cargo(&features).arg(&libaom))?;
    let home = install_npm(&folder)?;
    let python = install_python(&folder)?;
    let quality = build_quality(&folder)?;
    let sources = make_sources(&folder, &home)?;
    let mut bench = program("node");
    bench.arg(home.join("bench.mjs")).arg(target().join("release/darkroom"));
    bench.arg(libaom.join("release/darkroom"));
    run(bench.arg(sources).arg(python).arg(quality).arg(root().join("docs")))
}

/// Copies the scripts beside the packages that they import; Node looks for those from where a script lies.
fn install_npm(folder: &Path) -> Result<PathBuf, Failure> {
    let (from, home) = (root().join("benches/deliver"), folder.join("deliver"));
    fs::create_dir_all(&home)?;
    for entry in fs::read_dir(&from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), home.join(entry.file_name()))?;
        }
    }
    run(program("npm").args(["install", "--no-audit", "--no-fund"]).current_dir(&home))?;
    Ok(home)
}

fn install_python(folder: &Path) -> Result<PathBuf, Failure> {
    let python = folder.join("python");
    if !python.join("bin/thumbor").exists() {
        run(program("python3").args(["-m", "venv"]).arg(&python))?;
        let wanted = root().join("benches/deliver/requirements.txt");
        run(program(python.join("bin/pip")).args(["install", "--quiet", "--requirement"]).arg(wanted))?;
    }
    Ok(python)
}

/// In a folder of its own, so that no test has to build what only a measurement needs.
fn build_quality(folder: &Path) -> Result<PathBuf, Failure> {
    let built = folder.join("quality");
    let manifest = root().join("benches/deliver/quality/Cargo.toml");
    let mut build = cargo(&["build", "--release", "--manifest-path"]);
    run(build.arg(manifest).arg("--target-dir").arg(&built))?;
    Ok(built.join("release/quality"))
}

fn make_sources(folder: &Path, home: &Path) -> Result<PathBuf, Failure> {
    let (wallpapers, sources) = (folder.join("wallpapers"), folder.join("sources"));
    if !wallpapers.exists() {
        let packages = folder.join("packages");
        fs::create_dir_all(&packages)?;
        run(program("apt-get").arg("download").args(WALLPAPERS).current_dir(&packages))?;
        for entry in fs::read_dir(&packages)? {
            run(program("dpkg-deb").arg("-x").arg(entry?.path()).arg(&wallpapers))?;
        }
    }
    run(program("node").arg(home.join("sources.mjs")).arg(wallpapers).arg(&sources))?;
    Ok(sources)
}
