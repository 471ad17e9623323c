//! Writes the seeds. Run by `scripts/fuzz --seeds`.

fn main() -> std::io::Result<()> {
    for seed in tamarack_fuzz::seeds::all() {
        let path = seed.path();
        std::fs::create_dir_all(path.parent().unwrap_or(&path))?;
        std::fs::write(path, seed.bytes)?;
    }
    Ok(())
}
