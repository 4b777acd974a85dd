//! Stripe's own SDK drives the local stand-in for Stripe, and reads every answer.

use tests::App;
use tokio::process::Command;

#[tokio::test]
async fn sdk_of_stripe_reads_every_answer() {
    let app = App::start().await;
    let mut command = Command::new(tests::python_tools().await.join("python"));
    command.args(["-B", concat!(env!("CARGO_MANIFEST_DIR"), "/tools/stripe-sdk"), app.url()]);
    let output = command.output().await.unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    assert!(printed.contains(" calls checked"), "{printed}");
}
