// Verifies the messages that stand on standard input, a JSON object {body, headers} a line, and prints their types.
const { Webhook } = require("standardwebhooks");
const wh = new Webhook(process.env.SECRET);

for (const line of require("fs").readFileSync(0, "utf8").trim().split("\n")) {
  const request = JSON.parse(line);
  try {
    const message = wh.verify(request.body, request.headers); // throws unless it is signed
    console.log(message.type);
  } catch (err) {
    console.log("refused");
  }
}
