use crate::testing::{Agent, World};
use std::time::Instant;
#[test]
fn measure() {
    for threads in [1, 8, 32] {
        let first = Agent::new("first");
        let (world, _) = World::with(&first);
        let agents: Vec<_> = (0..threads).map(|n| Agent::new(&format!("a{n}"))).collect();
        for a in &agents { world.enroll(a, &[]); }
        let n = 100;
        let pre: Vec<Vec<Vec<u8>>> = agents.iter().map(|a| (0..n).map(|_| { world.clock.advance(std::time::Duration::from_millis(1)); a.answer(&world.connect()) }).collect()).collect();
        let t = Instant::now();
        std::thread::scope(|s| for p in &pre { let world=&world; s.spawn(move || for m in p { assert!(world.process(m).is_some()); }); });
        let d = t.elapsed();
        eprintln!("{threads} threads: {} QueryResponse/s", (n*threads) as f64 / d.as_secs_f64());
    }
    let (world, _) = World::with(&Agent::new("x"));
    let t = Instant::now();
    for _ in 0..200 { world.tam.process_connect().unwrap(); }
    eprintln!("connect {:?}", t.elapsed()/200);
    let a = Agent::new("bench");
    let ch = world.connect();
    let t = Instant::now();
    for _ in 0..200 { a.answer(&ch); }
    eprintln!("2 signatures+encode {:?}", t.elapsed()/200);
    let junk = vec![0x81u8; 10000];
    let t = Instant::now();
    for _ in 0..2000 { world.process(&junk); }
    eprintln!("junk {:?}", t.elapsed()/2000);
}
