//! Leaves the unwind tables out of the hook and the wrapper that are installed: a tenth of them, which nothing reads.

#![expect(clippy::disallowed_methods, reason = "that is how cargo talks to a build script")]

fn main() {
    const SCRIPT: &str = "hooks/no-unwinding.ld";
    println!("cargo::rerun-if-changed={SCRIPT}");
    // The linker reads it (.cargo/config.toml).
    println!("cargo::rerun-if-changed=hooks/order.txt");
    let variable = |name| std::env::var(name).unwrap_or_default();
    // Other builds unwind after a panic, and other targets' linkers may not take this.
    if variable("PROFILE") == "release" && variable("TARGET") == "x86_64-unknown-linux-gnu" {
        let script = format!("{}/{SCRIPT}", variable("CARGO_MANIFEST_DIR"));
        for program in ["oci-compat-hook", "oci-compat-runtime"] {
            println!("cargo::rustc-link-arg-bin={program}=-Wl,--no-eh-frame-hdr,-T,{script}");
        }
    }
}
