from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("proctoring", "0004_monitoring")]

    operations = [
        migrations.RemoveIndex(model_name="webhookmessage", name="proctoring_message_due"),
        migrations.AddIndex(
            model_name="webhookmessage",
            index=models.Index(fields=["next_try_at", "id"], name="proctoring_message_due"),
        ),
    ]
