package com.example.leads;

import io.quarkus.mailer.Mail;
import io.quarkus.mailer.Mailer;
import io.smallrye.common.annotation.Blocking;
import io.smallrye.reactive.messaging.kafka.api.IncomingKafkaRecordMetadata;
import io.vertx.core.json.JsonObject;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.inject.Inject;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.LocalDate;
import javax.sql.DataSource;
import org.apache.kafka.common.header.Header;
import org.eclipse.microprofile.reactive.messaging.Acknowledgment;
import org.eclipse.microprofile.reactive.messaging.Incoming;
import org.eclipse.microprofile.reactive.messaging.Message;
import java.util.concurrent.CompletionStage;

/** Mails reminders. A repeated event has the same id, which is the message's id: the database says no to it. */
@ApplicationScoped
public class ReminderListener {

    @Inject DataSource database;
    @Inject Mailer mailer;
    @Inject AddressBook addresses;

    @Incoming("lead-events")
    @Acknowledgment(Acknowledgment.Strategy.MANUAL)
    @Blocking
    public CompletionStage<Void> handle(Message<String> message) {
        try {
            IncomingKafkaRecordMetadata<?, ?> record =
                    message.getMetadata(IncomingKafkaRecordMetadata.class).orElseThrow();
            if ("lead.protection.reminder".equals(header(record, "eventType"))) {
                remind(header(record, "id"), new JsonObject(message.getPayload()));
            }
            return message.ack();
        } catch (Exception failure) {
            return message.nack(failure);
        }
    }

    private void remind(String eventId, JsonObject reminder) throws SQLException {
        if (!call("SELECT deliver FROM lead_protection.start_reminder_delivery(?, ?, ?, ?)", reminder, eventId)) {
            return;
        }
        // No connection is held while the mail server is talked to.
        mailer.send(
                Mail.withText(
                                addresses.of(reminder.getLong("user_id")),
                                "Lead " + reminder.getLong("lead_id") + ": your protection ends soon",
                                "It ends at " + reminder.getString("protection_expires_at") + ".")
                        .addHeader("Message-ID", "<" + eventId + "@example.com>"));
        call(
                "SELECT changed FROM lead_protection.report_reminder_delivery(?, ?, ?, ?, 'delivered')",
                reminder,
                eventId);
    }

    private boolean call(String sql, JsonObject reminder, String messageId) throws SQLException {
        try (Connection connection = database.getConnection();
                PreparedStatement statement = connection.prepareStatement(sql)) {
            statement.setLong(1, reminder.getLong("lead_id"));
            statement.setLong(2, reminder.getLong("user_id"));
            statement.setObject(3, LocalDate.parse(reminder.getString("window_date")));
            statement.setString(4, messageId);
            try (ResultSet answer = statement.executeQuery()) {
                answer.next();
                return answer.getBoolean(1);
            }
        }
    }

    private static String header(IncomingKafkaRecordMetadata<?, ?> record, String name) {
        Header header = record.getHeaders().lastHeader(name);
        return header == null ? null : new String(header.value(), StandardCharsets.UTF_8);
    }

    /** Where users' addresses come from: yours to write. */
    public interface AddressBook {
        String of(long userId);
    }
}
