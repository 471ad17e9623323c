#![allow(warnings, clippy::all)]
mod common;
use common::*;
use tamarack_suit::*;
use std::time::Instant;
#[test]
fn speed() {
    let author = author(2);
    let c = crypto();
    let trusted=[author.key];
    let p = Processor::new(&c,&trusted,&SingleAuthority);
    let env = ta(&author,1,b"Hello, Secure World!");
    let n=20000u32;
    let d0 = device();
    let e = Envelope::decode(&env).unwrap();
    let digest=e.claimed_digest();
    let t=Instant::now(); for _ in 0..n { std::hint::black_box(Envelope::decode(&env).unwrap()); } println!("decode envelope {:?}", t.elapsed()/n);
    let t=Instant::now(); for _ in 0..n { std::hint::black_box(e.authenticate_recorded(&c,&digest,&trusted).unwrap()); } println!("open (digest+decode) {:?}", t.elapsed()/n);
    let a = e.authenticate_recorded(&c,&digest,&trusted).unwrap();
    let mut ds: Vec<_> = (0..n).map(|_| d0.clone()).collect();
    let t=Instant::now(); for d in &mut ds { let o=p.update(d,&mut NoFetch,&a); assert!(o.result.is_ok()); } println!("update {:?}", t.elapsed()/n);
    let t=Instant::now(); for _ in 0..n { std::hint::black_box(c.sha256(e.manifest_item())); std::hint::black_box(c.sha256(b"Hello, Secure World!")); } println!("two hashes {:?}", t.elapsed()/n);
    let t=Instant::now(); for _ in 0..500 { std::hint::black_box(e.authenticate(&c,&trusted).unwrap()); } println!("authenticate {:?}", t.elapsed()/500);
    let r=p.update(&mut device(),&mut NoFetch,&a).report;
    let t=Instant::now(); for _ in 0..n { std::hint::black_box(r.encode()); } println!("report encode {:?}", t.elapsed()/n);
}
