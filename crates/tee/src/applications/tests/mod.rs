mod calls;
mod lifecycle;
mod world;
