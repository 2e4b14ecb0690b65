import { PublishCommand, SNSClient, type SNSClientConfig } from "@aws-sdk/client-sns";
import { present, type Cloud } from "./cloud.ts";

/* What is used of SNS, in a file of its own so that it is loaded by those alone who need it. */

/** Nothing is sent before it is used. */
export function newClient(config: SNSClientConfig): SNSClient {
  return new SNSClient(config);
}

export interface Message {
  readonly topic: string;
  readonly subject: string;
  readonly body: string;
  /** Messages of one group come in their order; for topics of the kind FIFO, which want both of these. */
  readonly group: string;
  /** The same message twice within five minutes comes once. */
  readonly once: string;
}

/**
 * Publishes a message.
 * @returns its id
 * @throws BakeError `not-found` when there is no such topic, `cloud`.
 */
export async function publish(cloud: Cloud, message: Message, signal: AbortSignal): Promise<string> {
  const client = await cloud.sns();
  const isOrdered = message.topic.endsWith(".fifo");
  const command = new PublishCommand({
    TopicArn: message.topic,
    Subject: message.subject,
    Message: message.body,
    ...(isOrdered ? { MessageGroupId: message.group, MessageDeduplicationId: message.once } : {}),
  });
  const reply = await cloud.ask("sns:Publish", signal, (o) => client.send(command, o), {
    resource: message.topic,
  });
  return present(reply.MessageId, "message id");
}
