from django.db import migrations, models

import proctoring.fields


class Migration(migrations.Migration):
    dependencies = [("proctoring", "0009_certificate_unclear")]

    operations = [
        migrations.AddField(
            model_name="presence",
            name="page_events",
            field=models.PositiveBigIntegerField(default=0, editable=False, verbose_name="events from the page"),
        ),
        migrations.AddField(
            model_name="presence",
            name="stream",
            field=proctoring.fields.ExactCharField(default="", editable=False, max_length=64),
        ),
        migrations.AddField(
            model_name="presence",
            name="last_at_ms",
            field=models.BigIntegerField(default=0, editable=False),
        ),
        migrations.AddField(
            model_name="presence",
            name="last_sequence",
            field=models.BigIntegerField(default=0, editable=False),
        ),
        migrations.AddField(
            model_name="presence",
            name="ordered_from_ms",
            field=models.BigIntegerField(default=0, editable=False),
        ),
        migrations.AddField(
            model_name="presence",
            name="ordered_after",
            field=models.BigIntegerField(default=0, editable=False),
        ),
    ]
